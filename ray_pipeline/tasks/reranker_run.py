"""One training of a reranker on one rank, from its artifacts to the exported model; `tasks/run.py` has what it shares with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ray_pipeline.artifacts import load
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.errors import SettingsError
from ray_pipeline.evaluation.live_reranking import LiveReranking
from ray_pipeline.models.adapters import trainable_reranker
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.tasks.reranker import RerankerTask
from ray_pipeline.tasks.reranker_batches import ListMaker
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.tasks.rows import RowSettings, training_set
from ray_pipeline.tasks.run import Company, Report, RunPlace, Say, Surroundings, epochs_of, train_and_export
from ray_pipeline.tasks.step_memory import reranker_memory
from ray_pipeline.tasks.trained_model import Facts
from ray_pipeline.training.distributed import Group


@dataclass(frozen=True)
class RerankerRun:
    """A training, as plain values that travel to another process."""

    model: RerankerSettings
    training: RerankerTraining
    rows: RowSettings
    inputs: Mapping[str, str]  # URIs of artifacts: data, and maybe groups, pseudo, candidates (a ranking of the evaluated split)
    place: RunPlace

    def __call__(self, group: Group, say: Say, report: Report | None = None) -> dict[str, Any]:
        """What the leader publishes: files, rows, metrics; nothing on the others."""
        settings, company = self.training.train, Company(group, say, report)
        torch.manual_seed(settings.seed)
        reranker = self._reranker(str(group.device))
        training = self.training
        data = training_set(self.inputs, self.rows, settings.seed, training.objective.distill_weight, shuffle_labels=training.shuffle_labels)
        task = RerankerTask(reranker, training, group, self._evaluation(reranker, group))
        lists = ListMaker(data, reranker.pair_input, settings.seed, training.batches.negatives_per_query, group)
        source = epochs_of(data, lists, settings, training.batches, company)
        if group.leads:
            say(f"{len(data):,} training queries, {_lists(data, training)}, {source.total_steps():,} steps")
            say(reranker_memory(reranker, training, group))
        around = Surroundings(Facts.of(data), self.place, company, lambda: self._reranker("cpu"))
        return train_and_export(reranker, task, source, training, around)

    def _reranker(self, device: str) -> Reranker:
        settings = self.training.train
        return trainable_reranker(
            self.model,
            self.training.adaptation,
            device,
            settings.precision,
            gradient_checkpointing=settings.gradient_checkpointing,
            seed=settings.seed,
        )

    def _evaluation(self, reranker: Reranker, group: Group) -> LiveReranking | None:
        settings = self.training.train
        if settings.evaluation is None:
            return None
        if "candidates" not in self.inputs:
            raise SettingsError("a reranker is evaluated on the candidates of a ranking: give one (candidates), or set train.evaluation=null")
        return LiveReranking(
            PreparedData(load(self.inputs["data"], "data")),
            self.rows.eval_split,
            load(self.inputs["candidates"], "ranking"),
            self.training.candidates,
            reranker.pair_input,
            group,
            share=settings.evaluation.query_share,
            seed=settings.evaluation.share_seed,
            precision=settings.precision,
        )


def _lists(data: TrainingSet, training: RerankerTraining) -> str:
    """How long the lists are, and how many fall short of what was asked."""
    asked = training.batches.negatives_per_query
    short = int((data.negatives.counts < asked).sum())
    return f"lists of 1 + {asked}" + (f" ({short:,} with fewer negatives)" if short else "")
