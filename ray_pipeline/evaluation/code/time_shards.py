"""Times shard by shard: each worker keeps to one processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.errors import SandboxError
from ray_pipeline.evaluation.code.shards import CodeShards, CodeWork, Row
from ray_pipeline.evaluation.code.timing import TimingSettings, own_processor, time_programs
from ray_pipeline.sandbox.inside import counter
from ray_pipeline.schemas import TIMINGS


@dataclass(frozen=True)
class MakeTimeShard:
    """Makes a worker wherever it is to time."""

    work: CodeWork
    timing: TimingSettings

    def __call__(self, device: str) -> TimeShard:
        return TimeShard(self)


class TimeShard(CodeShards):
    schema = TIMINGS

    def __init__(self, plan: MakeTimeShard) -> None:
        super().__init__(plan.work)
        self.timing, self.processor = plan.timing, own_processor()
        why = counter.missing(*counter.INSTRUCTIONS) if plan.timing.instructions else None
        if why is not None:
            self.close()
            raise SandboxError(
                f"time.timing.instructions=true: this machine shows no counter of instructions ({why}); "
                "run where perf stat -e instructions counts, or leave it out"
            )

    def rows(self, problem: Problem, solutions: Sequence[Row]) -> list[Row]:
        texts = list(dict.fromkeys(one["text"] for one in solutions))
        timed = time_programs(problem, texts, self.sandbox, self.timing, self.processor)
        by_text = {text: {**asdict(one), "runs": list(one.runs)} for text, one in zip(texts, timed, strict=True)}
        return [{**one, **by_text[one["text"]]} for one in solutions]

    def counts(self, rows: Sequence[Row]) -> dict[str, int]:
        return {"programs": len(rows), "timed": sum(row["reason"] == "timed" for row in rows), "steady": sum(row["steady"] for row in rows)}
