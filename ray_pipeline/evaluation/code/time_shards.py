"""Times shard by shard: a shard is some problems with all their right programs, its worker holds a sandbox and keeps to one processor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from ray_pipeline.artifacts import parquet_bytes, write_shard
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.evaluation.code.judge_shards import by_task
from ray_pipeline.evaluation.code.timing import TimingSettings, own_processor, time_programs
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import SandboxSettings
from ray_pipeline.schemas import TIMINGS
from ray_pipeline.storage import Location


@dataclass(frozen=True)
class MakeTimeShard:
    """Makes a worker wherever it is to time."""

    problems: Callable[[], Sequence[Problem]]
    sandbox: SandboxSettings
    timing: TimingSettings
    artifact: str
    prefix: str

    def __call__(self, device: str) -> TimeShard:
        return TimeShard(self)


class TimeShard:
    """Holds the problems, a sandbox and a processor."""

    def __init__(self, plan: MakeTimeShard) -> None:
        self.plan, self.sandbox, self.processor = plan, Sandbox(plan.sandbox), own_processor()
        self.problems = {one.task_id: one for one in plan.problems()}

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        started, rows = time.time(), []
        for task, solutions in by_task(shard["solutions"]):
            texts = list(dict.fromkeys(one["text"] for one in solutions))  # one program written twice is timed once
            timed = time_programs(self.problems[task], texts, self.sandbox, self.plan.timing, self.processor)
            by_text = {text: {**asdict(one), "runs": list(one.runs)} for text, one in zip(texts, timed, strict=True)}
            rows += [{**solution, **by_text[solution["text"]]} for solution in solutions]
        table = pa.Table.from_pylist(rows, schema=TIMINGS)
        counts = {"programs": len(rows), "timed": sum(row["reason"] == "timed" for row in rows), "steady": sum(row["steady"] for row in rows)}
        extra = {"counts": counts, "held": self.sandbox.held.sentence(), "started": started, "ended": time.time()}
        return write_shard(Location.of(self.plan.artifact), self.plan.prefix, shard["shard"], parquet_bytes(table), len(table), extra)
