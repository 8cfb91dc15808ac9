"""Training a reranker: the scores of each query's list, in micro batches, with exact gradients.

The pairs of a batch are one pool: they are sorted by length and go through the model in micro batches that pad least, so a list may
be spread over several. Its loss needs all its scores, so scores are treated as GradCache treats vectors: computed first, the loss sent
back as far as the scores, and then through the model; micro batches whose graphs fit in memory are not computed again.

A list belongs to one rank, so no rank needs another's scores. DDP averages over ranks, for which the loop's scale makes up.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ray_pipeline.evaluation.live_reranking import LiveReranking
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.objectives.gradcache import cached_backward
from ray_pipeline.objectives.gradcache_chunks import plan_chunks
from ray_pipeline.objectives.reranking import reranking_rows
from ray_pipeline.tasks.micro_batches import agreed
from ray_pipeline.tasks.model_task import ModelTask
from ray_pipeline.tasks.reranker_batches import RerankerBatch
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.text.batches import pad
from ray_pipeline.training.distributed import Group, without_sync


class RerankerTask(ModelTask[Reranker]):
    """The task of the training loop."""

    def __init__(self, reranker: Reranker, settings: RerankerTraining, group: Group, evaluation: LiveReranking | None = None) -> None:
        super().__init__(reranker)
        self.settings, self.group, self.evaluation = settings, group, evaluation

    def count(self, batch: RerankerBatch) -> float:
        return float(batch.weight.sum())

    def backward(self, batch: RerankerBatch, scale: float, sync: bool) -> dict[str, float]:
        tokens, before = batch.pairs.whole()
        micro = self.settings.micro
        plan = plan_chunks(tokens.lengths, micro.token_budget, micro.max_rows)
        kept, passes = agreed(plan, micro, self.settings.train.distributed, self.group)
        place = torch.from_numpy(plan.place).to(self.group.device)

        def score(chunk: int) -> Tensor:
            rows = plan.rows[chunk]
            ids, mask = pad(tokens.ids, tokens.offsets, rows, self.model.pair_input.encoder.pad_id)
            given = (torch.from_numpy(one).to(self.group.device) for one in (ids, mask, before[rows]))
            with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.settings.train.precision == "bf16"):
                scores: Tensor = self._wrapped(*given)
            return scores[:, None]

        def loss(leaves: list[Tensor]) -> dict[str, float]:
            return self._loss(torch.cat(leaves)[place, 0], batch, scale)

        sums = cached_backward(
            len(plan), score, loss, device=self.group.device, kept=kept, passes=passes, sync=sync, no_sync=lambda: without_sync(self._wrapped)
        )
        return {**sums, "tokens": float(len(tokens.ids))}

    def _loss(self, scores: Tensor, batch: RerankerBatch, scale: float) -> dict[str, float]:
        """The loss of this rank's lists, sent back as far as `scores`, one a pair."""
        listed, objective = batch.listed, self.settings.objective
        lists = torch.zeros(listed.shape, dtype=scores.dtype, device=scores.device).masked_scatter(listed, scores)
        losses, counted = reranking_rows(lists, listed, batch.teacher, objective)
        weighted = (batch.weight * losses).sum()
        (scale * weighted).backward()  # type: ignore[no-untyped-call]
        sums = {name: float((batch.weight * flags).sum()) for name, flags in counted.items()}
        return {"loss": float(weighted.detach()), "weight": float(batch.weight.sum()), "queries": float(len(losses)), **sums, **self._chance(batch)}

    def _chance(self, batch: RerankerBatch) -> dict[str, float]:
        """The summed loss of a model that tells nothing apart; unknown with a teacher in the loss, or without a list."""
        objective = self.settings.objective
        if objective.kind == "pointwise" or objective.distill_weight > 0:
            return {}
        return {"chance": objective.ce_weight * float((batch.weight * batch.listed.sum(1).log()).sum())}

    def evaluate(self) -> dict[str, float]:
        return {} if self.evaluation is None else self.evaluation.measure(self.model)
