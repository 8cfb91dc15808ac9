"""Fine-tuning on conversations: the mean negative log-likelihood of the tokens that are learned.

A batch is some conversations. They go through the model in packs (or padded micro batches) of a token budget, and the loss is divided by the
learned tokens of the whole step on all ranks: how conversations are packed, accumulated or shared out changes the gradient in its last
bits only. (Dividing by each micro batch's own tokens, as is often done, weighs a token by the company it is in.)
"""

from __future__ import annotations

from contextlib import nullcontext

import torch

from ray_pipeline.evaluation.live_likelihood import LiveLikelihood
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.tasks.model_task import ModelTask
from ray_pipeline.tasks.sft.settings import SftTraining
from ray_pipeline.text.learned_tokens import LearnedTokens, plan_rows
from ray_pipeline.training.distributed import Group, without_sync


class SftTask(ModelTask[Policy]):
    """The task of the training loop; a batch is this rank's conversations."""

    def __init__(self, policy: Policy, settings: SftTraining, group: Group, evaluation: LiveLikelihood | None = None) -> None:
        super().__init__(policy)
        self.settings, self.group, self.evaluation = settings, group, evaluation
        if settings.neftune_alpha is not None:
            policy.add_noise(settings.neftune_alpha)

    def count(self, batch: LearnedTokens) -> float:
        return float(batch.targets().sum())

    def backward(self, batch: LearnedTokens, scale: float, sync: bool) -> dict[str, float]:
        settings, device = self.settings, self.group.device
        plan = plan_rows(batch.tokens.lengths, settings.micro.token_budget, packing=settings.micro.packing)
        passes = self.group.largest(len(plan)) if settings.train.distributed.strategy == "fsdp" else len(plan)
        blank = plan[:1] * (passes - len(plan))  # FSDP gathers weights in each pass, so ranks make equally many
        loss = 0.0
        for turn, micro in enumerate(self.model.batches(batch, blank + plan)):
            last = turn == passes - 1
            with nullcontext() if sync and last else without_sync(self._wrapped):
                with torch.autocast(device.type, torch.bfloat16, enabled=settings.train.precision == "bf16"):
                    likelihoods = self._wrapped(*self.model.on_device(micro))
                summed = -likelihoods.sum()
                (summed * (0.0 if turn < len(blank) else scale)).backward()
            loss += 0.0 if turn < len(blank) else float(summed.detach())
        return {"loss": loss, "tokens": float(len(batch.tokens.ids))}

    def evaluate(self) -> dict[str, float]:
        return {} if self.evaluation is None else self.evaluation.measure(self.model)
