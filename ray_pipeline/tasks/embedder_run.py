"""One training of an embedder on one rank, from its artifacts to the exported model.

It needs no Ray: `group` says who else trains along. Everything it reads it opens itself, and everything it writes lies under
its attempt, so it may run on any machine that sees the workspace, and again after it was killed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from ray_pipeline.artifacts import load
from ray_pipeline.config import Settings, identity
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.data.training_batches import BatchRules, plan_epoch
from ray_pipeline.data.training_rows import from_groups
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.data.training_sources import concat, from_labels, from_prepared
from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.live_retrieval import SHOWN, LiveRetrieval
from ray_pipeline.models.adapters import trainable_embedder
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.trained_weights import load_parameters, parameter_tensors, trained
from ray_pipeline.storage import Location
from ray_pipeline.tasks.embedder import EmbedderTask
from ray_pipeline.tasks.embedder_batches import BatchMaker, EmbedderBatch
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.step_memory import memory_advice
from ray_pipeline.tasks.trained_embedder import TrainedEmbedder
from ray_pipeline.training.checkpoint import Checkpoints
from ray_pipeline.training.console import Console
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.epochs import EpochSource
from ray_pipeline.training.loop import Loop
from ray_pipeline.training.observers import ConsoleObserver, Observer, Observers, ReportObserver, TrackerObserver
from ray_pipeline.training.trackers import open_trackers

Say = Callable[[str], None]
Report = Callable[[Mapping[str, float]], None]


class RowSettings(Settings):
    """Which rows are trained on, and how evaluation reads the data."""

    split: str = identity("train", "whose queries and judgements, where nothing was mined")
    pseudo_weight: float = identity(1.0, "what a row with a pseudo label counts", gt=0)
    eval_split: str = identity("eval", "whose queries are evaluated on the way")
    exclude_self: bool = identity(False, "in evaluation a query never finds the document with its own id")


@dataclass(frozen=True)
class EmbedderRun:
    """A training, as plain values that travel to another process."""

    model: EmbedderSettings
    training: EmbedderTraining
    rows: RowSettings
    inputs: Mapping[str, str]  # URIs of artifacts: data, and maybe groups, pseudo, evaluation
    artifact: str
    prefix: str
    name: str  # of the run, in trackers
    anew: bool = False  # what earlier attempts left does not count

    def __call__(self, group: Group, say: Say, report: Report | None = None) -> dict[str, Any]:
        """What the leader publishes: files, rows, metrics; nothing on the others."""
        settings = self.training.train
        torch.manual_seed(settings.seed)
        embedder = self._embedder(str(group.device))
        data = training_set(self.inputs, self.rows, self.training)
        task = EmbedderTask(embedder, self.training, group, self._evaluation(embedder, group), self._guide(group))
        source = self._source(task, data, group, say)
        checkpoints = Checkpoints(Location.of(self.artifact), self.prefix, self.anew)
        if group.leads:
            say(f"{len(data):,} training queries, {len(data.doc_ids):,} documents, {source.total_steps():,} steps")
            say(memory_advice(embedder, self.training, group))
        observer = self._observer(source.total_steps(), group, say, report)
        try:
            ending = Loop(task, source, settings, group, checkpoints, observer, say if group.leads else _silent).run()
        finally:
            observer.close()
        whole = self._whole(task, group)
        if not group.leads:
            return {}
        trained_embedder = TrainedEmbedder(whole, self.training, ending, data)
        return {"files": trained_embedder.write(checkpoints), "rows": len(data), "metrics": trained_embedder.metrics()}

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

    def _source(self, task: EmbedderTask, data: TrainingSet, group: Group, say: Say) -> EpochSource[EmbedderBatch]:
        settings, rules = self.training.train, self.training.batches
        inputs = {"model": task.model.text_input} | ({} if task.guide is None else {"guide": task.guide.text_input})

        left_out: list[int] = []  # of each epoch planned so far

        def plan(epoch: int) -> Sequence[NDArray[Any]]:
            planned = plan_epoch(data, settings.batch_size, settings.seed, epoch, rules)
            left_out.append(len(planned.left_out))
            return [planned.batch(number) for number in range(len(planned))]

        source = EpochSource(plan, BatchMaker(data, inputs, settings.seed, rules.negatives_per_query, group), settings)
        if group.leads and max(left_out):
            say(f"up to {max(left_out):,} of {len(data):,} queries an epoch are in no batch: {_why_left_out(rules)}")
        return source

    def _observer(self, total: int, group: Group, say: Say, report: Report | None) -> Observer:
        lookers: list[Observer] = [] if report is None else [ReportObserver(report)]
        if group.leads:
            console = Console(total, self.training.train.logging.console_every, write=say)
            lookers.append(ConsoleObserver(console, say, str(group.device), SHOWN))
            logs = self.training.train.logging
            if logs.trackers:
                folder = Location.of(self.artifact) / f"{self.prefix}/logs"
                local = Path(folder.uri) if folder.is_local else Path(tempfile.mkdtemp(prefix="ray_pipeline-logs-"))
                lookers.append(TrackerObserver(open_trackers(logs, local, self.name, self.training.model_dump(mode="json"))))
        return Observers(*lookers)

    def _whole(self, task: EmbedderTask, group: Group) -> Embedder:
        """The trained model, whole in this process; under FSDP the leader gets one of its own. Every rank takes part."""
        if self.training.train.distributed.strategy == "ddp":
            return task.model
        tensors = parameter_tensors(trained(task.model))
        if not group.leads:
            return task.model
        plain = self._embedder("cpu")
        load_parameters(trained(plain), tensors, "the trained shards")
        return plain


def training_set(uris: Mapping[str, str], rows: RowSettings, training: EmbedderTraining) -> TrainingSet:
    """The rows that are trained on: mined groups or the split's judgements, and pseudo labels beside them."""
    data = PreparedData(load(uris["data"], "data"))
    parts = []
    if "groups" in uris:
        groups = load(uris["groups"], "groups")
        parts.append(from_groups(groups.table("groups/"), groups.location.uri))
    else:
        parts.append(from_prepared(data, rows.split))
    if "pseudo" in uris:
        labels = load(uris["pseudo"], "pseudo_labels")
        parts.append(from_labels(data, "rest", labels.table("labels/"), weight=rows.pseudo_weight))
    whole = parts[0] if len(parts) == 1 else concat(parts)
    found = whole.shuffled_labels(training.train.seed) if training.shuffle_labels else whole
    if training.objective.distill_weight > 0 and not found.taught().any():
        raise DataError(
            f"{uris.get('groups', uris['data'])}: objective.distill_weight={training.objective.distill_weight:g}, but of no query did the teacher "
            "score two documents (scores are missing or NaN); score positives and negatives (mining keeps a reranker's scores), or set it to 0"
        )
    return found


def _why_left_out(rules: BatchRules) -> str:
    causes = ["batches.drop_last leaves out those that are not full"] if rules.drop_last else []
    causes += ["batches.no_duplicates found every batch full or with one of their texts"] if rules.no_duplicates else []
    return "; ".join(causes)


def _silent(line: str) -> None:
    """The other ranks would say the same."""
