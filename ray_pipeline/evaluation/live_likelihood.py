"""How well a policy foretells held out conversations, while it is being trained.

* eval_loss       mean negative log-likelihood of a learned token
* perplexity      its exponential
* token_accuracy  share of learned tokens that greedy decoding would have taken

Rows are shared out by rank. Trap: under FSDP every forward pass is a collective, so ranks with fewer packs measure their first one again.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import torch

from ray_pipeline.evaluation.held_out import rows_of_rank
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.training.distributed import Group

FIGURES: Final = ("perplexity", "token_accuracy")
"""Beside `eval_loss`, which every training has."""


class LiveLikelihood:
    """A split's conversations, or a seeded share of them."""

    def __init__(
        self,
        rows: LearnedTokens,
        token_budget: int,
        group: Group,
        *,
        share: float = 1.0,
        seed: int = 0,
        precision: Literal["fp32", "bf16"] = "fp32",
        even_passes: bool = False,
    ) -> None:
        self.rows, self.token_budget = rows.take(rows_of_rank(len(rows), share, seed, group)), token_budget
        self.group, self.precision, self.even_passes = group, precision, even_passes

    def measure(self, policy: Policy) -> dict[str, float]:
        """The figures of the model as it is; every rank gets the same."""
        passes = self.group.largest(policy.passes(self.rows, self.token_budget)) if self.even_passes else None
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            found = policy.measure(self.rows, self.token_budget, passes)
        total = self.group.sum({"sum": float(found.sums.sum()), "hits": float(found.hits.sum()), "targets": float(found.targets.sum())})
        loss = -total["sum"] / total["targets"]
        perplexity = math.exp(min(loss, 700.0))  # a float ends there
        return {"eval_loss": loss, "perplexity": perplexity, "token_accuracy": total["hits"] / total["targets"]}
