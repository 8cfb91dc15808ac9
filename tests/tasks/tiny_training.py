"""An embedder's training small enough for a test: 23 queries with one to three positives, mined negatives and weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.config import parse
from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.training_batches import plan_epoch
from ray_pipeline.data.training_set import QueryColumns, TrainingSet, hashes_of
from ray_pipeline.models.adapters import trainable_embedder
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.storage import Location
from ray_pipeline.tasks.embedder import EmbedderTask
from ray_pipeline.tasks.embedder_batches import BatchMaker, EmbedderBatch
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.training.checkpoint import Checkpoints
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.epochs import EpochSource
from ray_pipeline.training.loop import Loop
from ray_pipeline.training.observers import Observer

QUERIES, DOCUMENTS = 23, 17
WORDS = ["the", "fraction", "subject", "construct", "question", "correct", "wrong", "answer", "number", "adds", "negative", "area", "3", "1/2"]


def text(seed: int) -> str:
    generator = np.random.default_rng(seed)
    return " ".join(generator.choice(WORDS, size=int(generator.integers(2, 12))))


def training_data() -> TrainingSet:
    generator = np.random.default_rng(5)
    texts = pa.array([f"{text(row)} {row}" for row in range(QUERIES)], pa.large_string())
    documents = pa.array([f"{text(1000 + row)} {row}" for row in range(DOCUMENTS)], pa.large_string())
    drawn = [generator.permutation(DOCUMENTS)[:6] for _ in range(QUERIES)]
    positives = [docs[: 1 + row % 3] for row, docs in enumerate(drawn)]
    negatives = [docs[3 : 3 + row % 4] for row, docs in enumerate(drawn)]  # from none to three
    columns = QueryColumns.of(pa.array([f"q{row}" for row in range(QUERIES)]), texts)
    columns.weights[:] = 0.5 + np.arange(QUERIES) % 3
    ids = pa.array([f"d{row}" for row in range(DOCUMENTS)])
    return TrainingSet.of(columns, ids, documents, hashes_of(documents), _lists(positives), _lists(negatives), "here")


def _lists(docs: list[NDArray[np.int64]]) -> DocLists:
    return DocLists.from_pairs(np.repeat(np.arange(len(docs)), [len(one) for one in docs]), np.concatenate(docs), len(docs))


def without_dropout(model: Path, folder: Path) -> Path:
    """A copy of the model that draws nothing."""
    copy = Path(shutil.copytree(model, folder / "calm"))
    config = json.loads((copy / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def model_settings(model: Path) -> EmbedderSettings:
    return parse(EmbedderSettings, {"name": str(model), "max_length": 24, "precision": "fp32"})


def settings_of(train: Mapping[str, Any], **given: Any) -> EmbedderTraining:
    usual: dict[str, Any] = {"epochs": 1.0, "batch_size": 6, "evaluation": None, "checkpoints": {"keep_best": False}, "optimizer": {"lr": 1e-3}}
    rules = {"no_duplicates": False, **given.pop("batches", {})}
    micro = {"token_budget": 64, "keep_tokens": 64, **given.pop("micro", {})}
    return parse(EmbedderTraining, {"train": {**usual, **train}, "batches": rules, "micro": micro, **given})


def embedder_loop(
    model: Path, training: EmbedderTraining, folder: Path, group: Group, *, attempt: str = "a", observer: Observer | None = None, double: bool = False
) -> Loop[EmbedderBatch]:
    settings = training.train
    embedder = trainable_embedder(
        model_settings(model),
        training.adaptation,
        str(group.device),
        settings.precision,
        gradient_checkpointing=settings.gradient_checkpointing,
        seed=settings.seed,
    )
    guide = None if training.guide is None else Embedder(training.guide, str(group.device))
    if double:
        embedder.double()
    task = EmbedderTask(embedder, training, group, guide=guide)
    if double and task.log_temperature is not None:
        task.log_temperature.data = task.log_temperature.data.double()
    data = training_data()

    def plan(epoch: int) -> list[NDArray[np.int64]]:
        planned = plan_epoch(data, settings.batch_size, settings.seed, epoch, training.batches)
        return [planned.batch(number) for number in range(len(planned))]

    inputs = {"model": embedder.text_input} | ({} if guide is None else {"guide": guide.text_input})
    source = EpochSource(plan, BatchMaker(data, inputs, settings.seed, training.batches.negatives_per_query, group), settings)
    checkpoints = Checkpoints(Location.of(str(folder)), f"attempts/{attempt}")
    return Loop(task, source, settings, group, checkpoints, observer or Observer())
