"""Verdicts shard by shard. A problem's own answers are computed where its solutions are judged, so nothing but texts travels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.errors import SandboxError
from ray_pipeline.evaluation.code.judging import Verdict, judge
from ray_pipeline.evaluation.code.question import PatienceSettings, Question, question
from ray_pipeline.evaluation.code.shards import CodeShards, CodeWork, Row
from ray_pipeline.sandbox.outcome import showable
from ray_pipeline.schemas import VERDICTS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MakeJudgeShard:
    """Makes a judge wherever it is to work."""

    work: CodeWork
    patience: PatienceSettings
    live: bool

    def __call__(self, device: str) -> JudgeShard:
        return JudgeShard(self)


class JudgeShard(CodeShards):
    schema = VERDICTS

    def __init__(self, plan: MakeJudgeShard) -> None:
        super().__init__(plan.work)
        self.plan = plan

    def rows(self, problem: Problem, solutions: Sequence[Row]) -> list[Row]:
        asked = question(problem, self.sandbox, self.plan.patience)
        verdicts = {text: asdict(self._verdict(asked, text)) for text in dict.fromkeys(one["text"] for one in solutions)}
        return [{**one, **verdicts[one["text"]]} for one in solutions]

    def counts(self, rows: Sequence[Row]) -> dict[str, int]:
        return {"solutions": len(rows), "passed": sum(row["passed"] for row in rows)}

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
