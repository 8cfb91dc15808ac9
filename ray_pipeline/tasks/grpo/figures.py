"""What is logged of a draw and of the time it took: the same names for each draw, on every rank.

A draw is one table, a row a rollout, gathered over all ranks before anything is averaged: so deviations, percentiles and maxima are those of all
rollouts and not means of each rank's own, and every rank has the same figures to decide by.

Rollouts that have no reward are left out of the reward's mean and deviation, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ray_pipeline.tasks.grpo.rollouts import Drawn, Rollout
from ray_pipeline.training.distributed import Group

MEANS: Final[Mapping[str, Callable[[Rollout], float]]] = {
    "failed": lambda one: one.failed,
    "truncated": lambda one: one.truncated,
    "answer_tokens": lambda one: sum(one.written),
    "thought_tokens": lambda one: sum(one.thought),
    "tool_calls": lambda one: one.calls,
    "failed_calls": lambda one: one.failed_calls,
}
"""By the name of a figure, what it is the mean of."""

_MORE: Final = ("staleness", "uniform", "advantage")  # the last two are known of a rank's whole draw: each of its rows has the rank's mean


@dataclass(frozen=True)
class Figured:
    """A rank's draw. `parts`: what each rollout got by part, of all parts' `names`; `now`: the version of the weights that learn from it."""

    rollouts: Sequence[Rollout]
    parts: Sequence[Mapping[str, float]]
    names: Sequence[str]
    found: Drawn
    now: int

    def facts(self) -> NDArray[np.float64]:
        """[rollouts, columns]"""
        count = len(self.rollouts)
        of_draw = [self.found.uniform / count, float(np.abs(self.found.batch.advantages).sum()) / count]
        rewards = [[one.reward, *(got.get(name, 0.0) for name in self.names)] for one, got in zip(self.rollouts, self.parts, strict=True)]
        others = [[*(float(of(one)) for of in MEANS.values()), self.now - one.version, *of_draw] for one in self.rollouts]
        return np.hstack([rewards, others])

    def figures(self, group: Group) -> dict[str, float]:
        """Of all ranks' draws. Every rank calls it."""
        rows = group.gather_rows(torch.from_numpy(self.facts()).to(group.device))
        return draw_figures(torch.cat(rows).cpu().numpy(), self.names)


def draw_figures(facts: NDArray[np.float64], names: Sequence[str]) -> dict[str, float]:
    """What is logged of all ranks' facts. The advantage is the mean of its size; what is not learned from counts as 0."""
    columns = dict(zip(("reward", *(f"reward_{name}" for name in names), *MEANS, *_MORE), facts.T, strict=True))
    rewarded = columns["failed"] == 0
    rewards = [name for name in columns if name.startswith("reward")] if len(names) > 1 else ["reward"]
    lengths = columns["answer_tokens"]
    return {
        **{name: float(columns[name][rewarded].mean()) if rewarded.any() else 0.0 for name in rewards},
        "reward_std": float(columns["reward"][rewarded].std()) if rewarded.any() else 0.0,
        **{name: float(columns[name].mean()) for name in (*MEANS, *_MORE)},
        "answer_tokens_p95": float(np.percentile(lengths, 95)),
        "answer_tokens_max": float(lengths.max()),
    }


def update_figures(rollout_seconds: float, seconds: float, tokens: int) -> dict[str, float]:
    """Of one rank's step: how fast its update was, and what share of the time went into rollouts (drawing, rewards, new weights)."""
    return {"update_tokens_per_second": tokens / max(seconds, 1e-9), "rollout_share": rollout_seconds / max(rollout_seconds + seconds, 1e-9)}
