"""Which tests each program passes, shard by shard: tests that a model wrote, each run on its own, so that one that never ends spoils no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.errors import SandboxError
from ray_pipeline.evaluation.code.shards import CodeShards, CodeWork, Row
from ray_pipeline.schemas import OUTCOMES


@dataclass(frozen=True)
class MakeOutcomeShard:
    """Makes a worker wherever it is to work."""

    work: CodeWork
    tests: Callable[[], Mapping[str, Sequence[str]]]
    wall: float

    def __call__(self, device: str) -> OutcomeShard:
        return OutcomeShard(self)


class OutcomeShard(CodeShards):
    schema = OUTCOMES

    def __init__(self, plan: MakeOutcomeShard) -> None:
        super().__init__(plan.work)
        self.tests, self.wall = plan.tests(), plan.wall

    def rows(self, problem: Problem, solutions: Sequence[Row]) -> list[Row]:
        tests = self.tests.get(problem.task_id, ())
        passes = {text: [self._passes(problem, text, test) for test in tests] for text in dict.fromkeys(one["text"] for one in solutions)}
        return [{"task_id": one["task_id"], "sample": one["sample"], "passes": passes[one["text"]]} for one in solutions]

    def counts(self, rows: Sequence[Row]) -> dict[str, int]:
        return {"solutions": len(rows), "runs": sum(len(row["passes"]) for row in rows), "passed": sum(sum(row["passes"]) for row in rows)}

    def _passes(self, problem: Problem, text: str, test: str) -> bool:
        """Whether the test ends well; a jail that breaks is no proof of anything."""
        try:
            return self.sandbox.check(text, problem.entry_point, test, wall=self.wall).ended == "finished"
        except SandboxError:
            return False
