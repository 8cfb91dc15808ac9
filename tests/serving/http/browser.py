"""A headless Chromium, spoken to by the DevTools protocol: no driver, no client library."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self.requested: list[str] = []
        self.console: list[str] = []

    async def call(self, method: str, **given: Any) -> dict[str, Any]:
        """The protocol's answer; what the page asked for and said meanwhile is kept."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": given})
        while True:
            message = await self._socket.receive_json(timeout=30)
            if message.get("method") == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            elif message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.console.append(json.dumps(message["params"])[:300])
            if message.get("id") == number:
                assert "error" not in message, message
                found: dict[str, Any] = message["result"]
                return found

    async def value(self, expression: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression: str, seconds: float = 20) -> None:
        for _ in range(int(seconds / 0.05)):
            if await self.value(expression):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"never true: {expression}; the page said {self.console}")

    async def press(self, key: str) -> None:
        codes = {"Enter": 13, "Tab": 9}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **(text if kind == "keyDown" else {})
            )


@asynccontextmanager
async def browsing(program: str, folder: Path, address: str) -> AsyncIterator[Page]:
    """A tab at an address."""
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen([program, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = await _port(folder / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                tab = await (await session.put(f"http://127.0.0.1:{port}/json/new?about:blank")).json()
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    page = Page(socket)
                    for part in ("Network", "Runtime", "Log", "Page"):
                        await page.call(f"{part}.enable")
                    await page.call("Page.navigate", url=address)
                    await page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
                    yield page
        finally:
            process.kill()


async def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(600):
        if file.exists() and (said := file.read_text().split()):
            return int(said[0])
        assert process.poll() is None, "chromium ended at once"
        await asyncio.sleep(0.05)
    raise AssertionError("chromium opened no port")
