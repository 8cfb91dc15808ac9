"""Trainings and zero-shot measurements for the benchmarks that claim something was learned.

The real stages do the work, in this process and without Ray: data prepared as an artifact, the training an `EmbedderRun`,
the measured model the exported one, loaded again from its folder.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import parse
from ray_pipeline.data.columns import titled_text
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.evaluation.retrieval import label_groups, query_groups, split_qrels
from ray_pipeline.metrics.comparison import Comparison, compare_values
from ray_pipeline.metrics.ranking import RankingResult, evaluate_ranking
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.storage import Location
from ray_pipeline.tasks.embedder_run import EmbedderRun
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.rows import RowSettings
from ray_pipeline.tasks.run import RunPlace
from ray_pipeline.training.distributed import Group

KS = (1, 10, 25)
MEASURE = "map@25"


@dataclass(frozen=True)
class Trained:
    """A training's model, and what it took."""

    folder: Path
    metrics: Mapping[str, Any]
    seconds: float


def train(data: PreparedData, workspace: Path, name: str, model: Mapping[str, Any], training: Mapping[str, Any], **inputs: str) -> Trained:
    """Train `model` on the data's training split, in this process."""
    started = time.monotonic()
    place = Workspace.at(str(workspace)).place("model", name)
    run = EmbedderRun(
        parse(EmbedderSettings, model),
        parse(EmbedderTraining, training),
        RowSettings(),
        {"data": data.artifact.location.uri, **inputs},
        RunPlace(place.uri, "attempts/0", name),
    )
    answer = run(Group(), lambda line: print(f"  {line}", flush=True))
    return Trained(Path(Location.of(place.uri).uri) / "attempts/0/model", answer["metrics"], time.monotonic() - started)


def measure(data: PreparedData, model: Mapping[str, Any], split: str = "eval") -> RankingResult:
    """Every query's values, in fp32."""
    embedder = Embedder(parse(EmbedderSettings, {**model, "precision": "fp32"}))
    queries = embedder.tokenize(data.queries(split).table(["text"]).column("text").to_pylist(), "query")
    documents = embedder.tokenize(titled_text(data.corpus().table(["text", "title"])).to_pylist(), "document")
    ranking = search(embedder.encode(queries, 4096, 256), embedder.encode(documents, 4096, 256), max(KS))
    qrels = split_qrels(data, split)
    return evaluate_ranking(ranking, qrels, KS, groups=label_groups(data, split, qrels))


def compared(data: PreparedData, new: Sequence[RankingResult], reference: Sequence[RankingResult], split: str = "eval") -> Comparison:
    """The paired difference, each query's value averaged over the seeds first; questions are resampled whole."""
    judged = split_qrels(data, split).positives > 0
    means = [np.mean([result.values[MEASURE] for result in results], axis=0)[judged] for results in (new, reference)]
    return compare_values(MEASURE, *means, seed=0, clusters=query_groups(data, split)[judged])
