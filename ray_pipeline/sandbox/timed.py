"""Reading a program's clock around each of its calls, from outside.

A program waits before it begins a call and after it ended one, so its clock stands still while it is read. What it does to its own `time` module
changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ray_pipeline.sandbox.outcome import of_failure
from ray_pipeline.sandbox.running import Running

EMPTY_CALLS: Final = 3  # to see what the pauses themselves cost; the least of them counts
GO: Final = b"go"


def timed_calls(program: Running, calls: Sequence[bytes]) -> list[tuple[Any, float]]:
    """Answer and seconds of each call; ends, with `ended` set, at the first that fails."""
    if "loaded" not in _next(program):
        return []
    empty = [_timed(program, b"") for _ in range(EMPTY_CALLS)]
    if any(one is None for one in empty):
        return []
    cost = min(one[1] for one in empty if one is not None)
    found: list[tuple[Any, float]] = []
    for call in calls:
        timed = _timed(program, call)
        if timed is None:
            return found
        answer, seconds = timed
        found.append((answer, max(1e-9, seconds - cost)))
    program.ended = "finished", ""
    return found


def _timed(program: Running, call: bytes) -> tuple[Any, float] | None:
    program.talk.say([call])
    if "ready" not in _next(program):
        return None
    begun = program.clock()
    program.talk.say([GO])
    if "ready" not in _next(program):
        return None
    done = program.clock()
    program.talk.say([GO])
    said = _next(program)
    if begun is None or done is None or "value" not in said:
        return None
    return said["value"], (done - begun) / 1e9


def _next(program: Running) -> dict[str, Any]:
    """The next thing it says; nothing where it fell silent or failed."""
    said = next(program.told(), {})
    if "type" in said:
        program.ended = of_failure(said)
        return {}
    return said
