"""Talking to a program over its stream: nothing it sends, holds back or floods can make the talker wait past its end or keep more than a bound."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Iterator
from typing import Final

from ray_pipeline.sandbox.inside.frames import HEAD, framed

PART: Final = 1 << 18


class TooMuchError(Exception):
    """A program said more than it may."""


class Talk:
    """Messages to and from one program, and what it prints, until it closes its stream or its time is up."""

    def __init__(self, stream: socket.socket, output: socket.socket, limit: int, deadline: float) -> None:
        self._stream, self._output, self._limit, self._deadline = stream, output, limit, deadline
        self._out, self._in = bytearray(), bytearray()
        self._heard = 0
        self.printed = bytearray()
        self.late = False
        self._open = {stream, output}
        for end in self._open:
            end.setblocking(False)

    def say(self, messages: Iterable[bytes]) -> None:
        """Messages that go out while others are listened for."""
        for message in messages:
            self._out += framed(message)

    def heard(self) -> Iterator[bytes]:
        """Messages as they come; ends where the stream does, or at the deadline."""
        while True:
            while (message := self._whole()) is not None:
                yield message
            if self._stream not in self._open or not self._step():
                return

    @property
    def over(self) -> bool:
        """Whether the program closed its stream, as it does when it ends."""
        return self._stream not in self._open

    def rest(self) -> None:
        """What is still printed after the last message."""
        while self._open and self._step():
            self._in.clear()

    def _whole(self) -> bytes | None:
        if len(self._in) < HEAD.size:
            return None
        length = HEAD.unpack_from(self._in)[0]
        if length > self._limit:
            raise TooMuchError(f"a message of {length:,} bytes")
        if len(self._in) < HEAD.size + length:
            return None
        message = bytes(self._in[HEAD.size : HEAD.size + length])
        del self._in[: HEAD.size + length]
        return message

    def _step(self) -> bool:
        """Move what can be moved; False once time is up."""
        left = self._deadline - time.monotonic()
        ready = select.poll()
        for end in self._open:
            ready.register(end, select.POLLIN | (select.POLLOUT if self._out and end is self._stream else 0))
        events = dict(ready.poll(left * 1000)) if left > 0 else {}
        if not events:
            self.late = True
            return False
        for end in list(self._open):
            event = events.get(end.fileno(), 0)
            if event & select.POLLOUT:
                self._write()
            if event & ~select.POLLOUT:
                self._read(end)
        return True

    def _write(self) -> None:
        try:
            del self._out[: self._stream.send(memoryview(self._out)[:PART])]
        except (BrokenPipeError, ConnectionResetError):
            self._out.clear()  # it listens no more; what it had said is still to be read
        except BlockingIOError:
            return

    def _read(self, end: socket.socket) -> None:
        try:
            part = end.recv(PART)
        except ConnectionResetError:
            part = b""
        if not part:
            self._open.discard(end)
            return
        self._heard += len(part)
        if self._heard > self._limit:
            raise TooMuchError(f"more than {self._limit:,} bytes")
        (self._in if end is self._stream else self.printed).extend(part)
