"""Rollouts as they were drawn and rewarded, and the batch that a policy learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ray_pipeline.objectives.advantage import EgpoAdvantage, advantages, teaches
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
    thought: int  # how many of those that it wrote are its chain of thought; 0: there is none, or no whole one
    reward: float
    failed: bool = False  # it has no reward
    truncated: bool = False
    version: int = 0  # of the weights that drew it


@dataclass(frozen=True)
class Drawn:
    """What is learned from a draw, and what was left out of it."""

    batch: RolloutBatch | None  # None: nothing teaches
    kept: tuple[Rollout, ...]
    failed: int
    truncated: int  # left out for it
    alone: int  # whose prompt had no other rollout left
    uniform: int  # of prompts whose rollouts are all worth the same, whether they are left out or not


Entropies = Callable[[RolloutBatch], Values]  # [targets]


def learned_from(rollouts: Sequence[Rollout], settings: GrpoTraining, entropies: Entropies) -> Drawn:
    """The batch of what teaches. `entropies` is asked where the advantage wants to know them."""
    sound = [one for one in rollouts if not one.failed]
    whole = [one for one in sound if not (settings.drop_truncated and one.truncated)]
    count = Counter(one.prompt_id for one in whole)
    grouped = [one for one in whole if count[one.prompt_id] > 1]
    kept, uniform = grouped, 0
    if grouped:
        informative = teaches(torch.tensor([one.reward for one in grouped], dtype=torch.float64), torch.from_numpy(_groups(grouped))).tolist()
        uniform = informative.count(False)
        kept = [one for one, told in zip(grouped, informative, strict=True) if told or not settings.drop_uniform]
    found = _batch(kept, settings, entropies) if kept and uniform < len(grouped) else None
    return Drawn(found, tuple(kept), len(rollouts) - len(sound), len(sound) - len(whole), len(whole) - len(grouped), uniform)


def _batch(kept: Sequence[Rollout], settings: GrpoTraining, entropies: Entropies) -> RolloutBatch:
    rows = LearnedTokens(
        end_to_end([[*one.prompt, *one.ids] for one in kept]), np.concatenate([np.array([False] * len(one.prompt) + [*one.written]) for one in kept])
    )
    groups = _groups(kept)
    engine = np.array([value for one in kept for value in one.logprobs], dtype=np.float32)
    empty = RolloutBatch(rows, groups, np.zeros(len(kept), dtype=np.float32), engine)
    openness = None
    if isinstance(settings.advantage, EgpoAdvantage):
        among = np.concatenate([np.arange(len(one.logprobs)) < one.thought for one in kept])
        openness = torch.from_numpy(empty.mean_by_rollout(entropies(empty), among))
    rewards = torch.tensor([one.reward for one in kept], dtype=torch.float64)
    found = advantages(rewards, torch.from_numpy(groups), settings.advantage, openness)
    return RolloutBatch(rows, groups, found.numpy(), engine)


def _groups(rollouts: Sequence[Rollout]) -> np.ndarray:
    """A number for each prompt, in the order in which prompts come up."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(one.prompt_id, len(numbers)) for one in rollouts], dtype=np.int64)
