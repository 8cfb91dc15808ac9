"""Services in processes of their own, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import aiohttp


@contextmanager
def process(command: Sequence[str], port: int, path: str) -> Iterator[str]:
    """A service in a session of its own, until it answers and while the block lasts."""
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as started:
        try:
            deadline = time.monotonic() + 180
            while not answers(address + path):
                if started.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)}: did not start")
                time.sleep(0.5)
            yield address
        finally:
            os.killpg(started.pid, signal.SIGTERM)


def answers(url: str) -> bool:
    async def asked() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    return asyncio.run(asked())
