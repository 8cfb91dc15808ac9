"""Verdicts shard by shard: a shard is some problems with all their solutions, its worker holds a sandbox.

A problem's own answers are computed where its solutions are judged, so nothing but texts travels.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from ray_pipeline.artifacts import parquet_bytes, write_shard
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.errors import SandboxError
from ray_pipeline.evaluation.code.judging import Verdict, judge
from ray_pipeline.evaluation.code.question import PatienceSettings, Question, question
from ray_pipeline.sandbox.outcome import showable
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import SandboxSettings
from ray_pipeline.schemas import VERDICTS
from ray_pipeline.storage import Location

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MakeJudgeShard:
    """Makes a judge wherever it is to work."""

    problems: Callable[[], Sequence[Problem]]
    sandbox: SandboxSettings
    patience: PatienceSettings
    live: bool
    artifact: str
    prefix: str

    def __call__(self, device: str) -> JudgeShard:
        return JudgeShard(self)


class JudgeShard:
    """Holds the problems and a sandbox."""

    def __init__(self, plan: MakeJudgeShard) -> None:
        self.plan, self.sandbox = plan, Sandbox(plan.sandbox)
        self.problems = {one.task_id: one for one in plan.problems()}

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        started, rows = time.time(), []
        for task, solutions in by_task(shard["solutions"]):
            asked = question(self.problems[task], self.sandbox, self.plan.patience)
            verdicts: dict[str, dict[str, Any]] = {}
            for solution in solutions:
                text = solution["text"]
                if text not in verdicts:  # one program written twice is run once
                    verdicts[text] = asdict(self._verdict(asked, text))
                rows.append({**solution, **verdicts[text]})
        table = pa.Table.from_pylist(rows, schema=VERDICTS)
        passed = sum(row["passed"] for row in rows)
        extra = {"counts": {"solutions": len(rows), "passed": passed}, "held": self.sandbox.held.sentence(), "started": started, "ended": time.time()}
        return write_shard(Location.of(self.plan.artifact), self.plan.prefix, shard["shard"], parquet_bytes(table), len(table), extra)

    def _verdict(self, asked: Question, text: str) -> Verdict:
        """The verdict. A program that breaks its jail twice over is not right, and must not end all the others."""
        try:
            return judge(asked, text, self.sandbox, self.plan.live)
        except SandboxError as first:
            logger.warning("problem %s: a jail broke (%s); the program is asked once more in a new one", asked.problem.task_id, first)
        try:
            return judge(asked, text, self.sandbox, self.plan.live)
        except SandboxError as second:
            return Verdict(False, False, "crash", showable(f"broke its jail: {second}"), 0.0, 0.0, self.sandbox.held.level, self.plan.live)


def by_task(solutions: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The solutions of each problem, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in solutions:
        found.setdefault(one["task_id"], []).append(one)
    return list(found.items())
