"""Stage `verdicts`: which programs are right, and why the others are not.

verdicts/NNNNNN.parquet   a row a program: its verdict, the reason, how it was held
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ray_pipeline.artifacts import Artifact, Attempt, load
from ray_pipeline.config import Settings, identity, placement, section
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.rows import Rows
from ray_pipeline.evaluation.code.judge_shards import MakeJudgeShard
from ray_pipeline.evaluation.code.question import PatienceSettings
from ray_pipeline.evaluation.code.shards import CodeWork
from ray_pipeline.metrics.pass_at_k import pass_at_k
from ray_pipeline.pipelines.problems import problems_of
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.sandbox.settings import SandboxSettings

ALGORITHM: Final = 1


class JudgeSettings(Settings):
    """How programs are judged."""

    k: tuple[int, ...] = placement((1,), "print Pass@k for these k; a problem needs that many solutions", min_length=1)
    live: bool = identity(False, "run tests in one process with the program: for tests that need more than plain data; such verdicts can be forged")
    patience: PatienceSettings = section(PatienceSettings(), "how long programs may take to be right")
    sandbox: SandboxSettings = section(SandboxSettings(), "what programs are held by")
    shard_problems: int = identity(16, "problems a shard: the unit of work, of retry and of progress", ge=1)


@dataclass(frozen=True)
class ReadProblems:
    """The problems of an artifact, read where they are needed."""

    uri: str

    def __call__(self) -> list[Problem]:
        return problems_of(load(self.uri, "problems"))


@dataclass(frozen=True)
class PrepareShard:
    """The solutions of a shard's problems."""

    solutions: str  # URI of the artifact

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        rows = Rows.of(load(self.solutions, "solutions"), "").slice(shard["start"], shard["stop"])
        return {"solutions": rows.to_pylist()}


def judge_solutions(run: Run, problems: Artifact, solutions: Artifact, settings: JudgeSettings) -> Artifact:
    """The verdicts; a killed run goes on with the shards that are missing."""
    inputs = {"problems": problems.as_input(), "solutions": solutions.as_input()}
    stage = Stage("verdicts", ALGORITHM, {"judge": settings}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        tasks = Rows.of(solutions, "").table(["task_id"]).column("task_id").to_pylist()
        shards = solution_shards(tasks, settings.shard_problems)
        todo = [shard for shard in shards if shard["shard"] not in finished]
        held = CodeWork(ReadProblems(problems.location.uri), settings.sandbox, attempt.location.uri, attempt.prefix)
        make = MakeJudgeShard(held, settings.patience, settings.live)
        work = run_shards(todo, PrepareShard(solutions.location.uri), make, run.cluster)
        records = collect_shards(attempt, "verdicts/", finished, len(shards), work)
        return Outcome(len(tasks), {**summed(records), "held": records[0]["held"], "shards": len(records)}, placed_workers(records))

    return run.ensure(stage, build)


def solution_shards(tasks: list[str], problems_each: int) -> list[dict[str, int]]:
    """Stretches of solutions that hold so many problems; solutions of a problem stand together."""
    starts = [at for at, task in enumerate(tasks) if at == 0 or tasks[at - 1] != task] + [len(tasks)]
    return [{"shard": one["shard"], "start": starts[one["start"]], "stop": starts[one["stop"]]} for one in shards_of(len(starts) - 1, problems_each)]


def summary(verdicts: Artifact, settings: JudgeSettings) -> str:
    """Pass@k in sentences, and the reasons counted."""
    rows = Rows.of(verdicts, "verdicts/").table(["task_id", "passed", "passed_base", "reason"]).to_pylist()
    passed: dict[str, list[bool]] = {}
    base: dict[str, list[bool]] = {}
    for row in rows:
        passed.setdefault(row["task_id"], []).append(row["passed"])
        base.setdefault(row["task_id"], []).append(row["passed_base"])
    lines = [pass_at_k(passed, k, seed=0).sentence() for k in settings.k]
    if base != passed:
        lines += [f"base calls alone: {pass_at_k(base, k, seed=0).sentence()}" for k in settings.k]
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in Counter(row["reason"] for row in rows).most_common())
    return "\n".join([*lines, f"{len(rows):,} programs: {reasons}", f"held by {verdicts.metrics['held']}"])
