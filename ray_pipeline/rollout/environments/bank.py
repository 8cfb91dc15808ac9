"""The bank: tasks of `data/tasks/bank/`, judged by the money that is where it should be and by the last words.

A request is done when the policy replies without a call. Then the accounts have to be as they should be, and the reply to say what was asked; the
first request that is not so ends the task. It is worth the share of requests that were done: nothing for one that was begun and not finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ray_pipeline.data.tasks.bank.world import Bank
from ray_pipeline.data.tasks.said import answers
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.rollout.environments.desk import Desk
from ray_pipeline.rollout.environments.environment import Reply, Standing
from ray_pipeline.text.chat.conversation import Message


class BankEnvironment:
    """One rollout's bank."""

    def __init__(self, task: Task) -> None:
        self._requests: Sequence[Any] = task.facts["requests"]
        self._bank = Bank(task.facts["accounts"])
        self._desk = Desk(self._bank.tools())
        self._done = 0
        self._called = False  # for the request that is under way

    def answer(self, reply: Reply) -> Sequence[Message]:
        results = self._desk.served(reply)
        if results:
            self._called = True
            return results
        if not self._right(reply):
            return ()
        self._done += 1
        self._called = False
        return [Message("user", one["text"]) for one in self._requests[self._done : self._done + 1]]

    def standing(self) -> Standing:
        return Standing(self._done / len(self._requests), self._desk.calls, self._desk.failed)

    def _right(self, reply: Reply) -> bool:
        """`whole`: what was cut off is no last word."""
        request = self._requests[self._done]
        if self._called and not request["calls"]:
            return False
        return reply.whole and bool(self._bank.accounts == request["after"]) and answers(reply.said, request["answer"])


class BankEnvironments:
    """Nothing is shared."""

    def begin(self, task: Task) -> BankEnvironment:
        return BankEnvironment(task)

    def close(self) -> None:
        """Nothing to end."""
