"""Training an embedder: one contrastive batch over all ranks, in micro batches, with exact gradients (GradCache).

Within a step: each rank embeds its queries and their documents; all vectors are gathered; each rank computes the loss of
its own queries against everybody's documents and sends it back as far as the gathered vectors; these gradients are added
over the ranks, and each rank sends those of its own vectors through its model. That is the gradient of the sum of all
ranks' losses: no factor, nothing counted twice. DDP then averages over ranks, for which the loop's scale makes up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ray_pipeline.evaluation.live_retrieval import LiveRetrieval
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.objectives.batch_facts import BatchFacts
from ray_pipeline.objectives.contrastive import contrastive_backward, initial_log_temperature
from ray_pipeline.objectives.gradcache import cached_backward
from ray_pipeline.objectives.gradcache_chunks import plan_chunks
from ray_pipeline.tasks.embedder_batches import EmbedderBatch
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.micro_batches import agreed
from ray_pipeline.tasks.model_task import ModelTask
from ray_pipeline.text.batches import pad
from ray_pipeline.text.tokens import Tokens
from ray_pipeline.training.distributed import Group, without_sync

_TEMPERATURE = "log_temperature"


class EmbedderTask(ModelTask[Embedder]):
    """The task of the training loop."""

    def __init__(
        self, embedder: Embedder, settings: EmbedderTraining, group: Group, evaluation: LiveRetrieval | None = None, guide: Embedder | None = None
    ) -> None:
        super().__init__(embedder)
        self.settings, self.group = settings, group
        self.evaluation, self.guide = evaluation, guide
        learned = settings.objective.learnable_temperature
        self.log_temperature = initial_log_temperature(settings.objective) if learned else None
        if self.log_temperature is not None:
            self.log_temperature.data = self.log_temperature.data.to(group.device)

    def own_parameters(self) -> Mapping[str, nn.Parameter]:
        return {} if self.log_temperature is None else {_TEMPERATURE: self.log_temperature}

    def count(self, batch: EmbedderBatch) -> float:
        weight = batch.facts.weight
        rows = batch.queries
        return float(len(rows)) if weight is None else float(weight[rows.start : rows.stop].sum())

    def backward(self, batch: EmbedderBatch, scale: float, sync: bool) -> dict[str, float]:
        tokens = batch.tokens["model"]
        micro = self.settings.micro
        plan = plan_chunks(tokens.lengths, micro.token_budget, micro.max_rows)
        kept, passes = agreed(plan, micro, self.settings.train.distributed, self.group)
        place = torch.from_numpy(plan.place).to(self.group.device)

        def embed(chunk: int) -> Tensor:
            return self._embed(tokens, plan.rows[chunk])

        def loss(leaves: list[Tensor]) -> dict[str, float]:
            return self._loss(torch.cat(leaves)[place], batch, scale)

        sums = cached_backward(
            len(plan), embed, loss, device=self.group.device, kept=kept, passes=passes, sync=sync, no_sync=lambda: without_sync(self._wrapped)
        )
        return {**sums, "tokens": float(len(tokens.ids))}

    def _embed(self, tokens: Tokens, rows: NDArray[np.int64]) -> Tensor:
        ids, mask = pad(tokens.ids, tokens.offsets, rows, self.model.text_input.encoder.pad_id)
        half = self.settings.train.precision == "bf16"
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=half):
            vectors: Tensor = self._wrapped(torch.from_numpy(ids).to(self.group.device), torch.from_numpy(mask).to(self.group.device))
        return vectors

    def _loss(self, local: Tensor, batch: EmbedderBatch, scale: float) -> dict[str, float]:
        """The loss of this rank's queries, sent back as far as `local` (its queries' vectors, then its documents')."""
        own = batch.columns[self.group.rank]
        count = len(batch.queries)
        queries = torch.cat(self.group.gather_rows(local[:count])).requires_grad_()
        documents = self._all_documents(local[count:], batch).requires_grad_()
        facts = batch.facts if self.guide is None else self._guided(batch, self.guide)
        sums = contrastive_backward(queries, documents, facts, self.settings.objective, self.log_temperature, scale)
        query_gradient, document_gradient = (self.group.add_(_gradient(one)) for one in (queries, documents))
        mine = torch.cat([query_gradient[batch.queries.start : batch.queries.stop], document_gradient[torch.from_numpy(own).to(local.device)]])
        torch.autograd.backward(local, mine)
        return {**sums, **self._chance(len(queries), len(documents), sums)}

    def _all_documents(self, local: Tensor, batch: EmbedderBatch) -> Tensor:
        """Everybody's documents, each in its column."""
        gathered = torch.cat(self.group.gather_rows(local))
        documents = torch.empty_like(gathered)
        documents[torch.from_numpy(np.concatenate(batch.columns)).to(local.device)] = gathered
        return documents

    def _guided(self, batch: EmbedderBatch, guide: Embedder) -> BatchFacts:
        """The facts with the guide model's vectors of all texts."""
        micro, count = self.settings.micro, len(batch.queries)
        local = torch.from_numpy(guide.encode(batch.tokens["guide"], micro.token_budget, micro.max_rows)).to(self.group.device)
        queries = torch.cat(self.group.gather_rows(local[:count]))
        return replace(batch.facts, guide_queries=queries, guide_documents=self._all_documents(local[count:], batch))

    def evaluate(self) -> dict[str, float]:
        if self.evaluation is None:
            return {}
        return self.evaluation.measure(self.model)

    def _chance(self, queries: int, documents: int, sums: Mapping[str, float]) -> dict[str, float]:
        """The summed loss of a model that tells nothing apart; unknown with a teacher in the loss."""
        objective = self.settings.objective
        if objective.distill_weight > 0:
            return {}
        columns = [documents if direction.endswith("doc") else queries for direction in objective.directions]
        joint = math.log(sum(columns))
        one = joint if objective.partition == "joint" else sum(map(math.log, columns)) / len(columns)
        sizes = sum(objective.matryoshka_weights) or len(objective.matryoshka_dims) or 1
        return {"chance": objective.ce_weight * sizes * one * sums["weight"]}


def _gradient(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
