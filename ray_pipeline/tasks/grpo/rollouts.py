"""Rollouts as they were drawn and rewarded, and the batch that a policy learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ray_pipeline.objectives.advantage import EgpoAdvantage, advantages, teaches
from ray_pipeline.rollout.drawing import Draw
from ray_pipeline.rollout.environments.environment import Standing
from ray_pipeline.tasks.grpo.batches import RolloutBatch, Values
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end


@dataclass(frozen=True)
class Rollout:
    """An answer to a prompt. In several turns `ids` hold the environment's words, too."""

    prompt_id: str
    prompt: tuple[int, ...]
    ids: tuple[int, ...]  # behind the prompt
    written: tuple[bool, ...]  # which of them the policy wrote
    logprobs: tuple[float, ...]  # of those that it wrote, as the engine drew them
    thought: tuple[bool, ...]  # which of those that it wrote are its chain of thought
    reward: float
    failed: bool = False  # it has no reward
    truncated: bool = False
    version: int = 0  # of the weights that drew it
    calls: int = 0  # of tools, that its environment answered
    failed_calls: int = 0  # and of them those that ended in an error


@dataclass(frozen=True)
class Drawn:
    """What is learned from a draw, and what was left out of it."""

    batch: RolloutBatch  # idle where nothing teaches
    failed: int
    truncated: int  # left out for it
    alone: int  # whose prompt had no other rollout left
    uniform: int  # of prompts whose rollouts are all worth the same, whether they are left out or not


def rollout_of(one: Draw) -> Rollout:
    """What is learned from a draw needs to be known of it."""
    played, standing = one.played, one.played.standing or Standing(0.0)
    return Rollout(
        prompt_id=one.prompt_id,
        prompt=played.prompt,
        ids=played.ids,
        written=played.written,
        logprobs=played.logprobs,
        thought=played.thought,
        reward=one.rewarded.reward,
        failed=one.rewarded.failed is not None,
        truncated=played.truncated,
        version=one.version,
        calls=standing.calls,
        failed_calls=standing.failed,
    )


Entropies = Callable[[RolloutBatch], Values]  # [targets]


def learned_from(rollouts: Sequence[Rollout], settings: GrpoTraining, entropies: Entropies) -> Drawn:
    """The batch of what teaches. `entropies` is asked where the advantage wants to know them."""
    sound = [one for one in rollouts if not one.failed]
    whole = [one for one in sound if not (settings.drop_truncated and one.truncated)]
    count = Counter(one.prompt_id for one in whole)
    grouped = [one for one in whole if count[one.prompt_id] > 1]
    informative = _informative(grouped)
    uniform = informative.count(False)
    kept = [one for one, told in zip(grouped, informative, strict=True) if told or not settings.drop_uniform]
    teaches_nothing = uniform == len(grouped)
    batch = replace(_rows_of(rollouts), idle=True) if teaches_nothing else _with_advantages(_rows_of(kept), kept, settings, entropies)
    return Drawn(batch, len(rollouts) - len(sound), len(sound) - len(whole), len(whole) - len(grouped), uniform)


def _informative(rollouts: Sequence[Rollout]) -> list[bool]:
    """Whether the rewards of each one's prompt differ."""
    found: list[bool] = teaches(torch.tensor([one.reward for one in rollouts], dtype=torch.float64), torch.from_numpy(_groups(rollouts))).tolist()
    return found


def _rows_of(rollouts: Sequence[Rollout]) -> RolloutBatch:
    """Their tokens; what they are worth is not said yet."""
    learned = np.concatenate([np.array([False] * len(one.prompt) + [*one.written]) for one in rollouts])
    rows = LearnedTokens(end_to_end([[*one.prompt, *one.ids] for one in rollouts]), learned)
    engine = np.array([value for one in rollouts for value in one.logprobs], dtype=np.float32)
    thought = np.concatenate([np.array(one.thought, dtype=np.bool_) for one in rollouts])
    return RolloutBatch(rows, _groups(rollouts), np.zeros(len(rollouts), dtype=np.float32), engine, thought=thought)


def _with_advantages(batch: RolloutBatch, rollouts: Sequence[Rollout], settings: GrpoTraining, entropies: Entropies) -> RolloutBatch:
    openness = None
    if isinstance(settings.advantage, EgpoAdvantage):
        openness = torch.from_numpy(batch.mean_by_rollout(entropies(batch), batch.thinking()))
    rewards = torch.tensor([one.reward for one in rollouts], dtype=torch.float64)
    return replace(batch, advantages=advantages(rewards, torch.from_numpy(batch.groups), settings.advantage, openness).numpy())


def _groups(rollouts: Sequence[Rollout]) -> np.ndarray:
    """A number for each prompt, in the order in which prompts come up."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(one.prompt_id, len(numbers)) for one in rollouts], dtype=np.int64)
