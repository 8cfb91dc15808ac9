"""Arithmetic: sums of `data/tasks/arithmetic.py`, with a calculator where the task offers one. The first reply without a call is the answer."""

from __future__ import annotations

from collections.abc import Sequence

from ray_pipeline.data.tasks.arithmetic import CALCULATOR
from ray_pipeline.data.tasks.said import last_integer
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.rollout.environments.desk import Desk
from ray_pipeline.rollout.environments.environment import Reply, Standing
from ray_pipeline.text.chat.conversation import Message


class ArithmeticEnvironment:
    """One rollout's sum."""

    def __init__(self, task: Task) -> None:
        self._value = task.facts["value"]
        self._desk = Desk([CALCULATOR] if task.tools else [])
        self._right = False

    def answer(self, reply: Reply) -> Sequence[Message]:
        results = self._desk.served(reply)
        if not results:
            self._right = reply.whole and last_integer(reply.said) == self._value
        return results

    def standing(self) -> Standing:
        return Standing(float(self._right), self._desk.calls, self._desk.failed)


class ArithmeticEnvironments:
    """Nothing is shared."""

    def begin(self, task: Task) -> ArithmeticEnvironment:
        return ArithmeticEnvironment(task)

    def close(self) -> None:
        """Nothing to end."""
