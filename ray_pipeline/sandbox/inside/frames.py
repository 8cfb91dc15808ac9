"""Messages on a stream between a program and the one that judges it: four bytes of length, then that many."""

from __future__ import annotations

import os
import struct

HEAD = struct.Struct(">I")


def framed(payload: bytes) -> bytes:
    """The message as it goes over the stream."""
    return HEAD.pack(len(payload)) + payload


def send(stream: int, payload: bytes) -> None:
    """Write a whole message."""
    rest = memoryview(framed(payload))
    while rest:
        rest = rest[os.write(stream, rest) :]


def receive(stream: int) -> bytes | None:
    """The next message; None where the stream ends."""
    head = _exactly(stream, HEAD.size)
    return None if head is None else _exactly(stream, HEAD.unpack(head)[0])


def _exactly(stream: int, count: int) -> bytes | None:
    parts = []
    while count:
        part = os.read(stream, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
