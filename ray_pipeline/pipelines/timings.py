"""Stage `timings`: how fast the right programs are.

timings/NNNNNN.parquet   a row a right program: its time, how sure, all its runs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ray_pipeline.artifacts import Artifact, Attempt, load
from ray_pipeline.config import Settings, identity, section
from ray_pipeline.data.rows import Rows
from ray_pipeline.evaluation.code.shards import CodeWork
from ray_pipeline.evaluation.code.time_shards import MakeTimeShard
from ray_pipeline.evaluation.code.timing import TimingSettings
from ray_pipeline.metrics.run_times import machine_noise
from ray_pipeline.pipelines.judge import ReadProblems, solution_shards
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.sandbox.settings import SandboxSettings
from ray_pipeline.schemas import SOLUTIONS, TIMINGS

ALGORITHM: Final = 1


class TimeSettings(Settings):
    """How right programs are timed."""

    timing: TimingSettings = section(TimingSettings(), "inputs, rounds, and when it is enough")
    sandbox: SandboxSettings = section(SandboxSettings(), "what programs are held by")
    shard_problems: int = identity(8, "problems a shard: the unit of work, of retry and of progress", ge=1)


@dataclass(frozen=True)
class RightPrograms:
    """The right programs of a stretch of verdicts."""

    verdicts: str  # URI of the artifact

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        rows = Rows.of(load(self.verdicts, "verdicts"), "verdicts/").slice(shard["start"], shard["stop"]).to_pylist()
        return {"solutions": [{name: row[name] for name in SOLUTIONS.names} for row in rows if row["passed"]]}


def time_solutions(run: Run, problems: Artifact, verdicts: Artifact, settings: TimeSettings) -> Artifact:
    """The times of all programs that passed; a killed run goes on with the shards that are missing."""
    stage = Stage("timings", ALGORITHM, {"time": settings}, {"problems": problems.as_input(), "verdicts": verdicts.as_input()})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        rows = Rows.of(verdicts, "verdicts/").table(["task_id", "passed"])
        if not any(rows.column("passed").to_pylist()):  # an answer like others: a weak model's chain goes on
            attempt.write_table("timings/000000.parquet", TIMINGS.empty_table())
            return Outcome(0, {"programs": 0, "timed": 0, "steady": 0})
        shards = solution_shards(rows.column("task_id").to_pylist(), settings.shard_problems)
        todo = [shard for shard in shards if shard["shard"] not in finished]
        held = CodeWork(ReadProblems(problems.location.uri), settings.sandbox, attempt.location.uri, attempt.prefix)
        make = MakeTimeShard(held, settings.timing)
        work = run_shards(todo, RightPrograms(verdicts.location.uri), make, run.cluster)
        records = collect_shards(attempt, "timings/", finished, len(shards), work)
        counts = summed(records)
        return Outcome(counts["programs"], {**counts, "held": records[0]["held"]}, placed_workers(records))

    return run.ensure(stage, build)


def timing_summary(timings: Artifact) -> str:
    """What was timed, what was not and why, and whether the machine was quiet enough."""
    rows = Rows.of(timings, "timings/").table(["task_id", "sample", "reason", "steady", "runs"]).to_pylist()
    if not rows:
        return "no program passed, so there is none to time"
    timed = [row for row in rows if row["reason"] == "timed"]
    problems = len({row["task_id"] for row in timed})
    lines = [f"{len(timed):,} programs of {problems:,} problems timed, {sum(not row['steady'] for row in timed):,} of them not steady"]
    others = Counter(row["reason"] for row in rows if row["reason"] != "timed")
    if others:
        lines.append("without a time: " + ", ".join(f"{reason} {count:,}" for reason, count in others.most_common()))
    if timed:
        lines.append(machine_noise({f"{row['task_id']}, sample {row['sample']}": row["runs"] for row in timed}).sentence())
    return "\n".join(lines)
