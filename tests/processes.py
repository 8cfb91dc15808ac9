"""A job as a process of its own, with an embedded Ray of its own: started, watched, killed, and nothing of it left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.forks import ROOT as ROOT
from tests.forks import Forked

AHEAD = ("transformers.models.bert.modeling_bert", "ray_pipeline.tasks.run")  # what trainings and embedding import when they begin


def title(pid: int) -> str:
    """A process's command line, where Ray writes what a worker does; nothing where there is no process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().strip("\0 ")
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    """0 where there is no process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def descendants(pid: int) -> set[int]:
    """The processes below `pid`: Ray's, and its workers."""
    parents = {int(path.name): parent_of(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    found: set[int] = set()
    while grown := {child for child, parent in parents.items() if (parent == pid or parent in found) and child not in found}:
        found |= grown
    return found


class JobProcess:
    """`python -m module words`, forked; `workers` is in the title of the processes that do its work.

    `patience`: seconds for anything to happen on a busy machine.
    """

    def __init__(self, module: str, words: Sequence[str], workspace: Path, workers: str, patience: float = 180.0) -> None:
        self.workspace = workspace
        self.workers = workers
        self.patience = patience
        self.said = workspace.parent / f"said-{time.time_ns()}.txt"
        environment = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "PYTHONPATH")}
        self.started: set[int] = set()
        with self.said.open("w") as log:
            self.process = Forked(module, words, environment, log, log, [module, *AHEAD])

    def wait_for(self, happened: Callable[[], bool], what: str) -> None:
        """While it runs; what it has started so far is remembered."""
        self._wait(lambda: happened() or self.process.poll() is not None, what)
        assert self.process.poll() is None, f"it ended before {what}:\n{self.said.read_text()}"
        self.started |= descendants(self.process.pid)

    def kill(self, with_workers: bool = False) -> None:
        """The driver alone, whose workers may compute for seconds until Ray ends them; or as if the machine went down."""
        self.started |= descendants(self.process.pid)
        self.process.kill()
        for pid in self.started:
            if with_workers and self.workers in title(pid):
                os.kill(pid, signal.SIGKILL)
        assert self.wait_for_the_end() == -signal.SIGKILL

    def kill_one(self, named: str) -> None:
        """A process it started, by a part of its title."""
        os.kill(next(pid for pid in self.started if named in title(pid)), signal.SIGKILL)

    def wait_for_the_end(self) -> int:
        """Its exit code; its workers have to end by themselves too."""
        try:
            return self.process.wait(self.patience)
        finally:
            self._wait(lambda: not any(self.workers in title(pid) for pid in self.started), "the end of its workers")
            for pid in self.started:  # Ray's agents outlive a killed driver by a minute
                if title(pid).startswith("ray::"):
                    os.kill(pid, signal.SIGKILL)

    def _wait(self, happened: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self.patience
        while not happened():
            if time.monotonic() > deadline:
                self.process.kill()
                pytest.fail(f"waited {self.patience} s for {what}:\n{self.said.read_text()}")
            time.sleep(0.005)
