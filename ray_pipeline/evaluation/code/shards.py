"""Programs worked on shard by shard: a shard is some problems with all their programs, its worker holds the problems and a sandbox.

What is done with a problem's programs is a subclass's matter: judged, timed, run on tests that a model wrote.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from ray_pipeline.artifacts import parquet_bytes, write_shard
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import SandboxSettings
from ray_pipeline.storage import Location

Row = dict[str, Any]


@dataclass(frozen=True)
class CodeWork:
    """What every worker needs, and where its shards go."""

    problems: Callable[[], Sequence[Problem]]
    sandbox: SandboxSettings
    artifact: str
    prefix: str


class CodeShards(ABC):
    """Holds the problems and a sandbox, and does one shard after the other."""

    schema: ClassVar[pa.Schema]

    def __init__(self, work: CodeWork) -> None:
        self.work, self.sandbox = work, Sandbox(work.sandbox)
        self.problems = {one.task_id: one for one in work.problems()}

    @abstractmethod
    def rows(self, problem: Problem, solutions: Sequence[Row]) -> list[Row]:
        """A row a program of one problem. A program that was written twice is run once."""

    @abstractmethod
    def counts(self, rows: Sequence[Row]) -> dict[str, int]:
        """What is told of a shard."""

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        started, rows = time.time(), []
        for task, solutions in by_task(shard["solutions"]):
            rows += self.rows(self.problems[task], solutions)
        table = pa.Table.from_pylist(rows, schema=self.schema)
        extra = {"counts": self.counts(rows), "held": self.sandbox.held.sentence(), "started": started, "ended": time.time()}
        return write_shard(Location.of(self.work.artifact), self.work.prefix, shard["shard"], parquet_bytes(table), len(table), extra)

    def close(self) -> None:
        self.sandbox.close()


def by_task(solutions: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """The solutions of each problem, in order."""
    found: dict[str, list[Row]] = {}
    for one in solutions:
        found.setdefault(one["task_id"], []).append(one)
    return list(found.items())
