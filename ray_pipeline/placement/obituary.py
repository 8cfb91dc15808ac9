"""Of what a worker died, in a line for the user.

A worker that fails leaves an error; one that dies leaves what Ray noticed of it, often no more than a closed socket, and
whatever it wrote to its stderr last: the message of an abort, the stack of a segmentation fault. Ray keeps that in a file a
process, beside the node's socket, which this reads where the node is this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import ray

_PID: Final = re.compile(r"^\s*(?:Worker )?pid: (\d+)", re.IGNORECASE | re.MULTILINE)
_ADVICE: Final = "Some common causes include"  # Ray's list of what it might have been
_NAMED: Final = 5  # shards in a message
_LAST_LINES: Final = 3


def obituary(problem: BaseException, unfinished: Sequence[int]) -> str:
    """The cause of death that Ray wrapped, the worker's last words, and which shards it leaves."""
    named = ", ".join(map(str, unfinished[:_NAMED])) + (f" and {len(unfinished) - _NAMED} more" if len(unfinished) > _NAMED else "")
    spoken = " | ".join(last_words(problem))
    return (
        f"a worker died and starting it again did not help: {cause(problem)}"
        + (f"; its last words: {spoken}" if spoken else "; it left no word (out of memory? fewer workers, smaller shards and batches need less)")
        + f"; no record yet of shards {named}"
    )


def cause(problem: BaseException) -> str:
    """The innermost error that says anything, in one line."""
    told = [error for error in _chain(problem) if str(error).strip()]
    innermost = told[-1] if told else problem
    lines = [line.strip() for line in str(innermost).partition(_ADVICE)[0].splitlines() if line.strip()]
    return f"{type(innermost).__name__}: {lines[-1] if lines else 'no message'}"


def _chain(problem: BaseException) -> Iterator[BaseException]:
    """An error, what caused it, what caused that... (Ray has the cause as an attribute, Python as `__cause__`.)"""
    seen: set[int] = set()
    error: object = problem
    while isinstance(error, BaseException) and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "cause", None) or error.__cause__


def last_words(problem: BaseException) -> list[str]:
    """The last lines on stderr of the process that the error names, if it ran on this machine."""
    pids = [pid for error in _chain(problem) for pid in _PID.findall(str(error))]
    for node in ray.nodes():
        logs = Path(node["ObjectStoreSocketName"]).parents[1] / "logs"
        for pid in pids:
            for file in logs.glob(f"worker-*-{pid}.err"):
                lines = [line.strip() for line in file.read_text(errors="replace").splitlines() if line.strip()]
                return [line for line in lines if not line.startswith(":")][-_LAST_LINES:]  # Ray's own marks begin with a colon
    return []
