"""Rollouts and what they are worth: single answers to prompts, or whole tasks in an environment.

Everything stays in tokens: what the engine wrote is what is learned from, never its text made into tokens again. Answers are drawn at
temperature 1 from the whole vocabulary, since the likelihoods that engines report are those of the plain model: drawn otherwise, a policy
gradient would be that of another policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from ray_pipeline.data.tasks.task import Task
from ray_pipeline.rollout.draw_settings import DrawSettings
from ray_pipeline.rollout.environments.environment import Environments
from ray_pipeline.rollout.prompts import Prompt
from ray_pipeline.rollout.rewards.judge import Judge, Rewarded
from ray_pipeline.rollout.rewards.sample import Sample
from ray_pipeline.rollout.thought_tokens import thought_tokens
from ray_pipeline.rollout.turns import Decode, Played, Turns
from ray_pipeline.rollout.writer import Writer


@dataclass(frozen=True)
class Draw:
    """A rollout and what it is worth."""

    prompt_id: str
    sample: int  # which of the prompt's
    played: Played
    rewarded: Rewarded
    version: int  # of the weights that drew it


class Drawing(Protocol):
    """Everything that may be asked, and how. `probes`: prompts to compare an engine with its trainer behind."""

    def __len__(self) -> int: ...

    def probes(self, count: int) -> list[list[int]]: ...

    def draw(self, engine: Writer, rows: Sequence[int], first: int) -> list[Draw]:
        """All rollouts of these prompts, those of a prompt together. `first`: the number of the first prompt among all that are ever asked, which
        decides its draws."""


@dataclass(frozen=True)
class Answers:
    """Single answers to prompts. `decode` keeps special tokens."""

    prompts: Sequence[Prompt]
    settings: DrawSettings
    judge: Judge
    decode: Decode

    def __len__(self) -> int:
        return len(self.prompts)

    def probes(self, count: int) -> list[list[int]]:
        return [list(one.ids) for one in self.prompts[:count]]

    def draw(self, engine: Writer, rows: Sequence[int], first: int) -> list[Draw]:
        asked, version = [self.prompts[row] for row in rows], engine.version
        answers = engine.generate([list(one.ids) for one in asked], self.settings.sampling(), first)
        played = [
            (prompt, Played.of(prompt.ids, answer, thought_tokens(answer.ids, self.decode, prompt.supplied)))
            for prompt, each in zip(asked, answers, strict=True)
            for answer in each
        ]
        rewarded = self.judge([self._sample(*one) for one in played])
        samples = self.settings.rollouts
        return [
            Draw(prompt.prompt_id, place % samples, one, worth, version)
            for place, ((prompt, one), worth) in enumerate(zip(played, rewarded, strict=True))
        ]

    def _sample(self, prompt: Prompt, played: Played) -> Sample:
        return Sample(
            prompt.prompt_id,
            played.replies[-1],
            prompt.supplied,
            prompt.right,
            tokens=len(played.ids),
            limit=self.settings.max_tokens,
            truncated=played.truncated,
            messages=prompt.messages,
        )


@dataclass(frozen=True)
class Acts:
    """Whole tasks, each rollout in an environment of its own."""

    tasks: Sequence[Task]
    turns: Turns
    environments: Environments
    judge: Judge

    def __len__(self) -> int:
        return len(self.tasks)

    def probes(self, count: int) -> list[list[int]]:
        return [self.turns.renderer.prompt(one.conversation()) for one in self.tasks[:count]]

    def draw(self, engine: Writer, rows: Sequence[int], first: int) -> list[Draw]:
        asked, version, samples = [self.tasks[row] for row in rows], engine.version, self.turns.sampling.samples
        played = self.turns(engine, asked, self.environments, first)
        tasks = [task for task in asked for _ in range(samples)]
        rewarded = self.judge([self._sample(task, one) for task, one in zip(tasks, played, strict=True)])
        return [
            Draw(task.task_id, place % samples, one, worth, version)
            for place, (task, one, worth) in enumerate(zip(tasks, played, rewarded, strict=True))
        ]

    def _sample(self, task: Task, played: Played) -> Sample:
        return Sample(
            task.task_id,
            played.replies[-1] if played.replies else "",
            self.turns.renderer.supplied,
            tokens=sum(played.written),
            limit=self.turns.sampling.max_tokens * self.turns.most,
            truncated=played.truncated,
            messages=tuple(asdict(message) for message in task.messages),
            facts=task.facts,
            worth=None if played.standing is None else played.standing.worth,
            speed=None if played.standing is None else played.standing.speed,
            fault=played.fault,
        )
