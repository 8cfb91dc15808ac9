"""What became of a program, in words that a table can count."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from ray_pipeline.sandbox.held import Held

Ended = Literal[
    "finished",  # it did what it was asked, whatever its answers are
    "syntax",  # its text is no Python
    "missing",  # it has no function of the name
    "exception",  # it raised
    "assertion",  # it, or a test of it, raised AssertionError
    "timeout",  # its time was up, by the clock or computing
    "memory",  # it asked for more than it may have
    "forbidden",  # it did what no program may, and was refused
    "output",  # it said more than it may
    "unspeakable",  # it returned what is no plain data
    "malformed",  # what it sent cannot be read
    "exit",  # it ended itself before it was done
    "crash",  # a signal ended it
    "unwanted",  # its answers were refused, so it was not asked on
]
SHOWN: Final = 400  # characters of a detail
REFUSED: Final = ("PermissionError", "BlockingIOError")  # how Python shows what the layers refuse


@dataclass(frozen=True)
class Outcome:
    """How a program ended, what it used, and by what it was held."""

    ended: Ended
    detail: str
    seconds: float  # by the clock, from its birth to the end of its last process
    cpu: float
    kilobytes: int
    held: Held
    answers: tuple[Any, ...] = ()  # of calls, in their order, until the first that failed
    printed: bytes = b""  # of a script
    exit_code: int | None = None  # of a script
    times: tuple[float, ...] = ()  # of timed calls: seconds of computing each
    counts: tuple[int, ...] = ()  # of timed calls whose instructions are counted


def of_failure(failure: Mapping[str, Any]) -> tuple[Ended, str]:
    """What an error that a program told of is called."""
    kind, phase, text = (_text(failure.get(key)) for key in ("type", "phase", "text"))
    detail = f"{kind}: {text}"
    if phase in ("syntax", "missing", "unspeakable"):
        return phase, detail  # type: ignore[return-value]
    if kind == "MemoryError":
        return "memory", detail
    if kind == "AssertionError":
        return "assertion", detail
    if kind in REFUSED:
        return "forbidden", detail
    return ("exit" if kind in ("SystemExit", "KeyboardInterrupt", "GeneratorExit") else "exception"), detail


def of_report(report: Mapping[str, Any], cpu_limit: int) -> tuple[Ended, str]:
    """What the end of a program that fell silent is called."""
    code = report["exit"]
    if code < 0:
        name = next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
        if -code in (signal.SIGKILL, signal.SIGXCPU) and report["cpu"] >= 0.9 * cpu_limit:
            return "timeout", f"after {report['cpu']:.1f} s of computing"
        if -code == signal.SIGSYS:
            return "forbidden", "a system call of another machine"
        if -code == signal.SIGXFSZ:
            return "output", "a file larger than it may be"
        return "crash", f"ended by {name}"
    return "exit", f"ended itself with {code} before it was done"


def _text(value: Any) -> str:
    """What a program says of itself may be anything."""
    return value if isinstance(value, str) else "" if value is None else "?"


def showable(detail: str) -> str:
    """A detail that any file and terminal can hold: short, whole characters, none that moves a cursor."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in detail[:400])[:SHOWN]
