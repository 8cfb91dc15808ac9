"""Learning from preferences: the objective's mean over pairs, weighted, and the likelihood of preferred answers beside it where it is asked for.

Both answers of a pair go through the model in one pack, so one pass gives the pair's loss and its gradient; packs are of a token budget, and how
they are cut changes the last bits only. KTO compares with means over the whole batch: they are measured first, in a pass of their own.

The reference's figures come with the batch, or from a pass of a frozen copy, or of the model with its adapter switched off: without dropout in
each case.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ray_pipeline.evaluation.live_preferences import LivePreferences
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.objectives.preference import KtoPairSettings, PairLikelihoods, SigmoidSettings, preference_rows, rewards
from ray_pipeline.tasks.dpo.batches import PairBatch
from ray_pipeline.tasks.dpo.reference import Reference
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.model_task import ModelTask
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.training.distributed import Group, without_sync

Divergences = tuple[Tensor, Tensor]


class DpoTask(ModelTask[Policy]):
    """The task of the training loop; a batch is this rank's pairs."""

    def __init__(
        self, policy: Policy, settings: DpoTraining, group: Group, reference: Reference | None = None, evaluation: LivePreferences | None = None
    ) -> None:
        super().__init__(policy)
        self.settings, self.group = settings, group
        self.reference, self.evaluation = reference, evaluation

    def count(self, batch: PairBatch) -> float:
        return float(batch.weights.sum())

    def backward(self, batch: PairBatch, scale: float, sync: bool) -> dict[str, float]:
        settings = self.settings
        plan = batch.micro_batches(settings.micro.token_budget, packing=settings.micro.packing)
        passes = self.group.largest(len(plan)) if settings.train.distributed.strategy == "fsdp" else len(plan)
        given = self._reference(batch)
        divergences = self._divergences(batch, given) if isinstance(settings.objective, KtoPairSettings) else None
        blank = plan[:1] * (passes - len(plan))  # FSDP gathers weights in each pass, so ranks make equally many
        sums: dict[str, float] = {}
        for turn, (pairs, rows) in enumerate(blank + plan):
            counts = turn >= len(blank)
            with nullcontext() if sync and turn == passes - 1 else without_sync(self._wrapped):
                found = self._likelihoods(rows, None if given is None else given[pairs])
                loss, figures = self._loss(found, batch.weights[pairs], divergences)
                (loss * (scale if counts else 0.0)).backward()  # type: ignore[no-untyped-call]
            if counts:
                sums = {name: sums.get(name, 0.0) + value for name, value in figures.items()}
        return {**sums, "tokens": float(batch.tokens)}

    def evaluate(self) -> dict[str, float]:
        return {} if self.evaluation is None else self.evaluation.measure(self.model)

    def _likelihoods(self, rows: LearnedTokens, reference: NDArray[np.float64] | None) -> PairLikelihoods:
        """Of pairs whose preferred answers are the first half of `rows`."""
        batch = self.model.batch(rows)
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.settings.train.precision == "bf16"):
            tokens: Tensor = self._wrapped(*self.model.on_device(batch))
        owner = torch.from_numpy(batch.rows).to(tokens.device)
        sums = torch.zeros(len(rows), dtype=tokens.dtype, device=tokens.device).index_add(0, owner, tokens)
        chosen, rejected = sums.chunk(2)
        counts = torch.from_numpy(rows.targets()).to(sums).chunk(2)
        known = np.zeros((len(rows) // 2, 2)) if reference is None else reference
        one, other = torch.from_numpy(known).to(sums).unbind(1)
        return PairLikelihoods(chosen, rejected, one, other, *counts)

    def _loss(self, found: PairLikelihoods, weights: NDArray[np.float64], divergences: Divergences | None) -> tuple[Tensor, dict[str, float]]:
        """The weighted sum, and what of it is logged."""
        objective, weight = self.settings.objective, torch.from_numpy(weights).to(found.chosen)
        losses = preference_rows(found, objective, divergences)
        if self.settings.sft_weight:
            losses = losses - self.settings.sft_weight * found.chosen / found.chosen_tokens
        loss = (weight * losses).sum()
        with torch.no_grad():
            better, worse = rewards(found, objective)
            preferred, other = found.ratios
            logged = {
                "reward_chosen": better,
                "reward_rejected": worse,
                "margin": better - worse,
                "accuracy": (better > worse).to(better),
                "chosen_logp": found.chosen,
                "rejected_logp": found.rejected,
                "kl": (preferred + other) / 2,
                "chosen_tokens": found.chosen_tokens,
                "rejected_tokens": found.rejected_tokens,
            }
            figures = {name: float((weight * values).sum()) for name, values in logged.items()}
        chance = {"chance": float(np.log(2) * weights.sum())} if self._begins_at_chance() else {}
        return loss, {"loss": float(loss.detach()), **figures, **chance}

    def _begins_at_chance(self) -> bool:
        return isinstance(self.settings.objective, SigmoidSettings) and not self.settings.sft_weight

    def _reference(self, batch: PairBatch) -> NDArray[np.float64] | None:
        if batch.reference is not None or self.reference is None:
            return batch.reference
        return np.stack([self._measured(self.reference, side) for side in (batch.chosen, batch.rejected)], axis=1)

    def _divergences(self, batch: PairBatch, reference: NDArray[np.float64] | None) -> Divergences:
        """Mean log ratios of the batch on all ranks, at least 0."""
        given = np.zeros((len(batch), 2)) if reference is None else reference
        sums = {"pairs": float(len(batch))}
        for number, (name, side) in enumerate((("chosen", batch.chosen), ("rejected", batch.rejected))):
            sums[name] = float((self._measured(self.model, side) - given[:, number]).sum())
        total = self.group.sum(sums)
        above, below = (torch.tensor(max(0.0, total[name] / total["pairs"]), device=self.group.device) for name in ("chosen", "rejected"))
        return above, below

    def _measured(self, of: Policy | Reference, side: LearnedTokens) -> NDArray[np.float64]:
        """[rows] sums, measured under the training's precision."""
        budget = self.settings.micro.token_budget
        even = self.settings.train.distributed.strategy == "fsdp"
        passes = self.group.largest(of.passes(side, budget)) if even else None
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.settings.train.precision == "bf16"):
            return of.measure(side, budget, passes).sums
