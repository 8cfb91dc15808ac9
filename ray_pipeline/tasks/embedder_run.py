"""One training of an embedder on one rank, from its artifacts to the exported model.

It needs no Ray: `group` says who else trains along. Everything it reads it opens itself, and everything it writes lies under
its attempt, so it may run on any machine that sees the workspace, and again after it was killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ray_pipeline.artifacts import load
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.evaluation.live_retrieval import LiveRetrieval
from ray_pipeline.models.adapters import trainable_embedder
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.tasks.embedder import EmbedderTask
from ray_pipeline.tasks.embedder_batches import BatchMaker, EmbedderBatch
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.rows import RowSettings, training_set
from ray_pipeline.tasks.run import Company, Report, RunPlace, Say, Surroundings, epochs_of, train_and_export
from ray_pipeline.tasks.step_memory import embedder_memory
from ray_pipeline.tasks.trained_model import Facts
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.epochs import EpochSource


@dataclass(frozen=True)
class EmbedderRun:
    """A training, as plain values that travel to another process."""

    model: EmbedderSettings
    training: EmbedderTraining
    rows: RowSettings
    inputs: Mapping[str, str]  # URIs of artifacts: data, and maybe groups, pseudo, evaluation
    place: RunPlace

    def __call__(self, group: Group, say: Say, report: Report | None = None) -> dict[str, Any]:
        """What the leader publishes: files, rows, metrics; nothing on the others."""
        settings, company = self.training.train, Company(group, say, report)
        torch.manual_seed(settings.seed)
        embedder = self._embedder(str(group.device))
        data = training_set(
            self.inputs,
            self.rows,
            settings.seed,
            self.training.objective.distill_weight,
            shuffle_labels=self.training.shuffle_labels,
        )
        task = EmbedderTask(embedder, self.training, group, self._evaluation(embedder, group), self._guide(group))
        source = self._source(task, data, company)
        if group.leads:
            say(f"{len(data):,} training queries, {len(data.doc_ids):,} documents, {source.total_steps():,} steps")
            say(embedder_memory(embedder, self.training, group))
        around = Surroundings(Facts.of(data), self.place, company, lambda: self._embedder("cpu"))
        return train_and_export(embedder, task, source, self.training, around)

    def _embedder(self, device: str) -> Embedder:
        settings = self.training.train
        return trainable_embedder(
            self.model,
            self.training.adaptation,
            device,
            settings.precision,
            gradient_checkpointing=settings.gradient_checkpointing,
            seed=settings.seed,
        )

    def _guide(self, group: Group) -> Embedder | None:
        return None if self.training.guide is None else Embedder(self.training.guide, str(group.device))

    def _evaluation(self, embedder: Embedder, group: Group) -> LiveRetrieval | None:
        settings = self.training.train
        if settings.evaluation is None:
            return None
        data = PreparedData(load(self.inputs.get("evaluation", self.inputs["data"]), "data"))
        return LiveRetrieval(
            data,
            self.rows.eval_split,
            embedder.text_input,
            group,
            share=settings.evaluation.query_share,
            seed=settings.evaluation.share_seed,
            precision=settings.precision,
            objective=self.training.objective,
            batch_size=settings.batch_size,
            exclude_self=self.rows.exclude_self,
        )

    def _source(self, task: EmbedderTask, data: TrainingSet, company: Company) -> EpochSource[EmbedderBatch]:
        settings, rules = self.training.train, self.training.batches
        inputs = {"model": task.model.text_input} | ({} if task.guide is None else {"guide": task.guide.text_input})
        return epochs_of(data, BatchMaker(data, inputs, settings.seed, rules.negatives_per_query, company.group), settings, rules, company)
