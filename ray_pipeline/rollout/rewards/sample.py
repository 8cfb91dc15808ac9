"""What a reward is asked about: one rollout, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.metrics.tool_calls import Call


@dataclass(frozen=True)
class Sample:
    """A reply, and what is known of the prompt that it answers."""

    prompt_id: str
    reply: str  # what the policy wrote
    supplied: str = ""  # what the prompt's template wrote of the reply before (`<think>`)
    right: tuple[Call, ...] = ()  # the calls that are right; none: no call is
    tokens: int = 0  # that the policy wrote
    limit: int = 0  # that it may write
    truncated: bool = False
    messages: Sequence[Mapping[str, Any]] = ()  # the prompt
    facts: Mapping[str, Any] | None = None  # whatever else the data say of the prompt
    worth: float | None = None  # what its environment says of it; None where there is none
    speed: float | None = None  # how fast its program is, as its environment says; None: it was not timed
    fault: str | None = None  # why it cannot be judged: its environment failed

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        calls = [{"name": one.name, "arguments": one.arguments} for one in self.right]
        return {**vars(self), "right": calls, "messages": [dict(one) for one in self.messages], "facts": dict(self.facts or {})}
