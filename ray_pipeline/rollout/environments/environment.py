"""What an environment is to those who draw rollouts.

A policy is asked (a task), replies, is answered by the environment, replies again, until the environment has nothing more to say or the policy may
not reply any more. Each rollout has an environment of its own, begun anew: nothing that one rollout did is seen by another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ray_pipeline.data.tasks.task import Task
from ray_pipeline.metrics.thought import thought_of
from ray_pipeline.metrics.tool_calls import Call, read_calls
from ray_pipeline.text.chat.conversation import Message


class EnvironmentFault(Exception):  # noqa: N818 - a fault of one rollout, marked and counted, not an error of the run
    """An environment that could not answer: it raised, hung, or broke. The rollout has no reward and teaches nothing."""


@dataclass(frozen=True)
class Reply:
    """What the policy wrote in one turn. `said`: behind its chain of thought; `calls`: those in it, None where one cannot be read."""

    text: str
    said: str
    calls: tuple[Call, ...] | None
    whole: bool = True  # it ended by itself; else it was cut off

    @staticmethod
    def of(text: str, supplied: str = "", whole: bool = True) -> Reply:
        """`supplied`: what the template wrote of the reply before."""
        said = thought_of(text, supplied).rest
        calls = read_calls(said)
        return Reply(text, said, None if calls is None else tuple(calls), whole)


@dataclass(frozen=True)
class Standing:
    """How a rollout stands. `calls` and `failed` count calls of tools and those that ended in an error."""

    worth: float  # of all that was done so far, usually 0 to 1
    calls: int = 0
    failed: int = 0
    speed: float | None = None  # of a right program: the time of the problem's own over its own, where that is asked for


class Environment(Protocol):
    """One task's world, for one rollout."""

    def answer(self, reply: Reply) -> Sequence[Message]:
        """What the policy is told: results of its calls, a user's next words. Nothing: the task is over."""

    def standing(self) -> Standing:
        """Asked once, at the end, whatever ended the rollout."""


class Environments(Protocol):
    """Where environments come from: holds what they share (a jail, a process), until it is closed."""

    def begin(self, task: Task) -> Environment:
        """A new world."""

    def close(self) -> None:
        """End what is shared."""
