"""How well a policy tells preferred answers from others in held out pairs, while it is being trained.

* eval_loss                        the objective's mean
* accuracy                         share of pairs whose preferred answer is worth more to it
* margin                           how much more, on average
* chosen_logp, rejected_logp       mean log-likelihood of an answer
* kl                               mean log ratio to the reference: how far it has gone

Rows are shared out by rank. Before the first step a policy that refers to itself has an accuracy of 0: no answer is worth more than it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ray_pipeline.data.pair_rows import PairRows
from ray_pipeline.evaluation.held_out import rows_of_rank
from ray_pipeline.models.policy.policy import Measured, Policy
from ray_pipeline.objectives.preference import PairLikelihoods, PreferenceSettings, preference_rows, rewards
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.training.distributed import Group

FIGURES: Final = ("accuracy", "margin", "kl")
"""What of it a console shows."""
Measure = Callable[[LearnedTokens], Measured]


def likelihoods_of(chosen: Measured, rejected: Measured, reference: NDArray[np.float64] | None) -> PairLikelihoods:
    """[pairs] of what was measured. `reference`: [pairs, 2]; none is 0."""

    def tensor(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))

    given = np.zeros((len(chosen.sums), 2)) if reference is None else reference
    counts = tensor(chosen.targets), tensor(rejected.targets)
    return PairLikelihoods(tensor(chosen.sums), tensor(rejected.sums), tensor(given[:, 0]), tensor(given[:, 1]), *counts)


class LivePreferences:
    """A split's pairs, or a seeded share of them. `reference`: [pairs, 2] of all of them."""

    def __init__(
        self,
        pairs: PairRows,
        reference: NDArray[np.float64] | None,
        objective: PreferenceSettings,
        token_budget: int,
        group: Group,
        *,
        share: float = 1.0,
        seed: int = 0,
        precision: Literal["fp32", "bf16"] = "fp32",
        even_passes: bool = False,
    ) -> None:
        mine = rows_of_rank(len(pairs), share, seed, group)
        self.chosen, self.rejected = pairs.chosen.take(mine), pairs.rejected.take(mine)
        self.reference = None if reference is None else reference[mine]
        self.objective, self.token_budget, self.group, self.precision, self.even_passes = objective, token_budget, group, precision, even_passes

    def measure(self, policy: Policy) -> dict[str, float]:
        """The figures of the model as it is; every rank gets the same."""
        chosen, rejected = (self._measured(policy, side) for side in (self.chosen, self.rejected))
        found = likelihoods_of(chosen, rejected, self.reference)
        preferred, other = found.ratios
        means = self.group.sum({"preferred": float(preferred.sum()), "other": float(other.sum()), "pairs": float(len(preferred))})
        divergences = tuple(torch.tensor(max(0.0, means[name] / means["pairs"]), dtype=torch.float64) for name in ("preferred", "other"))
        losses = preference_rows(found, self.objective, (divergences[0], divergences[1]))
        better, worse = rewards(found, self.objective)
        sums = {
            "eval_loss": losses,
            "accuracy": (better > worse).double(),
            "margin": better - worse,
            "chosen_logp": found.chosen,
            "rejected_logp": found.rejected,
            "kl": (preferred + other) / 2,
        }
        total = self.group.sum({name: float(values.sum()) for name, values in sums.items()})
        return {name: value / means["pairs"] for name, value in total.items()}

    def _measured(self, policy: Policy, side: LearnedTokens) -> Measured:
        passes = self.group.largest(policy.passes(side, self.token_budget)) if self.even_passes else None
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return policy.measure(side, self.token_budget, passes)
