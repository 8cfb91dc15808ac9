"""Reading a program's clock around each of its calls, from outside.

A program waits before it begins a call and after it ended one, so its clock stands still while it is read. What it does to its own `time` module
changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ray_pipeline.sandbox.outcome import of_failure
from ray_pipeline.sandbox.running import Running

EMPTY_CALLS: Final = 3  # to see what the pauses themselves cost; the least of them counts
GO: Final = b"go"


@dataclass(frozen=True)
class TimedCall:
    """A call's answer, the seconds it computed, and the instructions where these are counted."""

    answer: Any
    seconds: float
    count: int | None


def timed_calls(program: Running, calls: Sequence[bytes]) -> list[TimedCall]:
    """The calls in their order; ends, with `ended` set, at the first that fails."""
    if "loaded" not in _next(program):
        return []
    empty = [_timed(program, b"") for _ in range(EMPTY_CALLS)]
    if any(one is None for one in empty):
        return []
    cost = min(one.seconds for one in empty if one is not None)
    pauses = min((one.count or 0 for one in empty if one is not None), default=0)
    found: list[TimedCall] = []
    for call in calls:
        timed = _timed(program, call)
        if timed is None:
            return found
        count = None if timed.count is None else max(1, timed.count - pauses)
        found.append(TimedCall(timed.answer, max(1e-9, timed.seconds - cost), count))
    program.ended = "finished", ""
    return found


def _timed(program: Running, call: bytes) -> TimedCall | None:
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
    count = None if begun[1] is None or done[1] is None else done[1] - begun[1]
    return TimedCall(said["value"], (done[0] - begun[0]) / 1e9, count)


def _next(program: Running) -> dict[str, Any]:
    """The next thing it says; nothing where it fell silent or failed."""
    said = next(program.told(), {})
    if "type" in said:
        program.ended = of_failure(said)
        return {}
    return said
