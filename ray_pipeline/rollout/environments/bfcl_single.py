"""BFCL's tasks of a single turn: one reply, judged by the calls in it. Nothing is run.

Where no call is right (irrelevance), a reply is right if no call can be read from it: one that cannot be read counts as none, as with BFCL.
Everywhere else it has to call what is asked for, and a call that cannot be read is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from ray_pipeline.data.tasks.task import Task
from ray_pipeline.metrics.function_match import why_wrong
from ray_pipeline.metrics.tool_calls import Call
from ray_pipeline.rollout.environments.environment import Reply, Standing
from ray_pipeline.text.chat.conversation import Message


class BfclSingle:
    """One entry, for one rollout. `why`: what is wrong, in words; None where all is right."""

    def __init__(self, task: Task) -> None:
        self._facts = task.facts
        self._calls = 0
        self.why: str | None = "nothing was replied"

    def answer(self, reply: Reply) -> Sequence[Message]:
        """It is over with one reply."""
        self._calls = len(reply.calls or ())
        self.why = self._why(reply.calls)
        return []

    def _why(self, calls: Sequence[Call] | None) -> str | None:
        category = self._facts["category"]
        if "irrelevance" in category:
            return f"{calls[0].name} is called, and nothing here is what was asked for" if calls else None
        if calls is None:
            return "a call that cannot be read"
        if "relevance" in category:
            return None if calls else "nothing is called"
        names = self._facts["names"]
        unknown = next((call.name for call in calls if call.name not in names), None)
        if unknown is not None:
            return f"{unknown} is called, and is no function here"
        return why_wrong([Call(names[call.name], call.arguments) for call in calls], self._facts["functions"], self._facts["possible"])

    def standing(self) -> Standing:
        return Standing(float(self.why is None), self._calls)
