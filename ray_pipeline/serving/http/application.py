"""The ASGI application: everything that happens to every request, in one place.

In order: which endpoint, who asks, is there room, the body within its limit, strict JSON, the endpoint's own work within its time, an
answer or an error in the words of that endpoint's clients, a line in the log. Nothing a client sends changes the limits. A client that
hangs up takes its work with it.

Browsers. No other site may call: CORS stays closed, and a request that a browser marks as coming from another site is refused, which
also stops those that need no permission (forms). Where no key is needed, only this machine's own names are answered to, or a foreign name that
resolves here would be let in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ray_pipeline.errors import PipelineError
from ray_pipeline.retrieval.documents.filters import FilterError
from ray_pipeline.serving.http.endpoint import LINES_TYPE, Answer, Endpoint, Lines, WriteError, json_answer
from ray_pipeline.serving.http.telemetry import Telemetry
from ray_pipeline.serving.json_body import strict_json
from ray_pipeline.serving.keys import Keys
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.service import Service
from ray_pipeline.serving.shapes.search import our_error

logger = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TRACE: Final = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context
_ALWAYS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_OWN_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


class _GoneError(Exception):
    """The client hung up: there is nobody to answer."""


@dataclass
class _Call:
    """One request on its way."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    request_id: str
    trace_id: str | None  # of the caller's own trace, where it sends one
    started: float = field(default_factory=time.perf_counter)


class Application:
    """Serves a table of endpoints."""

    def __init__(self, service: Service, keys: Keys, endpoints: Sequence[Endpoint], telemetry: Telemetry) -> None:
        self.service, self.keys, self.telemetry = service, keys, telemetry
        self._endpoints: dict[tuple[str, str], Endpoint] = {(one.method, one.path): one for one in endpoints}
        self._paths = {one.path for one in endpoints}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # a websocket: there are none here
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        path = str(scope["path"]).removeprefix(str(scope.get("root_path") or "").rstrip("/")) or "/"
        traced = _TRACE.fullmatch(headers.get(b"traceparent", b""))
        request_id = given.decode() if _ID.fullmatch(given) else uuid.uuid4().hex
        call = _Call(str(scope["method"]), path, headers, request_id, traced[1].decode() if traced else None)
        write_error: WriteError = our_error
        try:
            endpoint = self._endpoint(call)
            write_error = endpoint.write_error
            answer = await self._answered(endpoint, call, receive)
        except _GoneError:
            self.telemetry.note(call.method, call.path, 499, time.perf_counter() - call.started, call.request_id, call.trace_id)
            return
        except RequestError as problem:
            answer = json_answer(write_error(problem), problem.status, problem.headers())
        except FilterError as problem:
            answer = json_answer(write_error(RequestError("invalid_request", str(problem), "filter")), 422)
        except Exception as problem:  # what it was is for the log: it may name places on this machine
            logger.exception("request %s: %s %s failed", call.request_id, call.method, call.path)
            ours = RequestError("unavailable", f"an error of ours; the log has it under {call.request_id}")
            answer = json_answer(write_error(ours), 503 if isinstance(problem, PipelineError) else 500)
        known = call.path if call.path in self._paths else "(unknown)"
        self.telemetry.note(call.method, known, answer.status, time.perf_counter() - call.started, call.request_id, call.trace_id)
        await _send(send, answer, call)

    def _endpoint(self, call: _Call) -> Endpoint:
        """Default-deny: who has no right learns nothing of which paths there are."""
        found = self._endpoints.get((call.method, call.path))
        authorisation = call.headers.get(b"authorization")
        if found is None or found.right is not None:
            self._check_origin(call)
            self.keys.check(authorisation.decode("latin-1") if authorisation else None, found.right or "read" if found else "read")
        if found is None:
            methods = sorted(method for method, path in self._endpoints if path == call.path)
            raise RequestError("not_found", f"{call.path[:80]} takes {' and '.join(methods)}" if methods else f"there is no {call.path[:80]} here")
        return found

    def _check_origin(self, call: _Call) -> None:
        if call.headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            raise RequestError("forbidden", "other sites may not call this service from a browser")
        if self.keys.open_to_all:
            host = call.headers.get(b"host", b"").decode("latin-1")
            if (host.rpartition(":")[0] if re.search(r":\d+$", host) else host) not in _OWN_NAMES:
                raise RequestError("forbidden", f"without keys this service answers to {', '.join(_OWN_NAMES)} only")

    async def _answered(self, endpoint: Endpoint, call: _Call, receive: Receive) -> Answer:
        with self.service.admission.request() if endpoint.right is not None else contextlib.nullcontext():
            if endpoint.lines is not None and call.headers.get(b"content-type", b"").startswith(LINES_TYPE.encode()):
                return await endpoint.lines(self._lines(receive))  # as long as lines come: each has its own time
            try:
                async with asyncio.timeout(self.service.limits.timeout_s):
                    if endpoint.method == "GET":
                        return await endpoint.act(None)
                    body = strict_json(await self._body(call, receive))
                    return await _while_there(endpoint.act(body), receive)
            except TimeoutError as problem:
                raise RequestError("timed_out", f"not done within {self.service.limits.timeout_s:g} s (timeout_s)") from problem

    async def _lines(self, receive: Receive) -> Lines:
        """The lines of a body as they come; a line may be as long as a body, and may take as long as a request."""
        rest, number, more = b"", 0, True
        while more:
            try:
                async with asyncio.timeout(self.service.limits.timeout_s):
                    message = await receive()
            except TimeoutError as problem:
                raise RequestError("timed_out", f"no line came for {self.service.limits.timeout_s:g} s (timeout_s)") from problem
            if message["type"] == "http.disconnect":
                raise _GoneError
            more = bool(message.get("more_body"))
            *whole, rest = (rest + message.get("body", b"")).split(b"\n")
            for line in whole if more else [*whole, rest]:
                number += 1
                self.service.limits.check_size(len(line))
                if line.strip():
                    yield number, _of_line(line, number)
            self.service.limits.check_size(len(rest))

    async def _body(self, call: _Call, receive: Receive) -> bytes:
        length = call.headers.get(b"content-length", b"")
        if length.isdigit():
            self.service.limits.check_size(int(length))
        pieces, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _GoneError
            piece = message.get("body", b"")
            size += len(piece)
            self.service.limits.check_size(size)
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)


def _of_line(line: bytes, number: int) -> Any:
    try:
        return strict_json(line)
    except RequestError as problem:
        raise RequestError(problem.code, f"line {number}: {problem.message}", f"line {number}") from problem


async def _while_there(work: Awaitable[Answer], receive: Receive) -> Answer:
    """The work's answer, unless the client hangs up first: then the work is cancelled."""
    doing = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_hung_up(receive))
    try:
        await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise _GoneError
    finally:
        for task in (doing, watching):
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, answer: Answer, call: _Call) -> None:
    headers = {
        **_ALWAYS,
        **answer.headers,
        "Content-Type": answer.media_type,
        "Content-Length": str(len(answer.body)),
        "X-Request-Id": call.request_id,
    }
    listed = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": listed})
    await send({"type": "http.response.body", "body": answer.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
