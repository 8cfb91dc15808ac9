"""Stage `index`: an approximate index of a vectors artifact, published if it finds what the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.artifacts import Artifact, Attempt, File, Input, read_parquet
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import ArtifactError
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.retrieval.exact.topk import merge
from ray_pipeline.retrieval.index.build import EXACT, TRAINING, MakeIndexPart, MakeTraining
from ray_pipeline.retrieval.index.factory import factory_string
from ray_pipeline.retrieval.index.recall import chosen_parameters, recall
from ray_pipeline.retrieval.index.settings import STAGE, IndexSettings
from ray_pipeline.schemas import RANKING

ALGORITHM = 1
_ENDINGS = {"index": "faiss", "ids": "parquet", "vectors": "npy"}


def build_index(run: Run, vectors: Artifact, settings: IndexSettings, asked: Artifact | None = None) -> Artifact:
    """The index over `vectors`. `asked`: vectors of queries, to measure the recall on; without them documents ask."""
    docs, dim = Rows.of(vectors, "vectors/"), int(vectors.metrics["dim"])
    if asked is not None and asked.metrics["dim"] != dim:
        raise ArtifactError(f"{asked.location.uri}: queries have {asked.metrics['dim']} dimensions, {vectors.location.uri} has {dim}")
    inputs: dict[str, Input] = {"vectors": vectors.as_input()} | ({} if asked is None else {"queries": asked.as_input()})
    stage = Stage(STAGE, ALGORITHM, {"index": settings}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        kind = factory_string(settings.kind, min(len(docs), settings.part_rows), min(len(docs), settings.train_rows), dim)
        parts = [{**part, "shard": part["shard"] + 1} for part in shards_of(len(docs), settings.part_rows)]
        make_training = MakeTraining(docs, kind, settings, attempt.location.uri, attempt.prefix)
        training = finished.get(TRAINING) or next(iter(run_shards([{"shard": TRAINING}], dict, make_training, run.cluster)))
        known = {**finished, TRAINING: training}
        todo = [part for part in parts if part["shard"] not in finished]
        queries = None if asked is None else Rows.of(asked, "vectors/")
        make = MakeIndexPart(docs, queries, kind, training["trained"]["path"], settings, attempt.location.uri, attempt.prefix)
        records = collect_shards(attempt, "answers/", known, len(parts) + 1, run_shards(todo, dict, make, run.cluster))[1:]
        curve = _recall_curve(attempt, records, settings.recall_at)
        parameters = chosen_parameters(curve, settings)
        sizes = _adopt(attempt, records)
        metrics = {
            "factory": kind,
            "parameters": parameters,
            f"recall@{settings.recall_at}": curve[parameters],
            "recall_by_parameters": curve,
            "recall_queries": "documents" if asked is None else "queries",
            "dim": dim,
            "parts": [record["start"] for record in records],
            "bytes": sizes,
            "bytes_per_vector": sizes["index"] / len(docs),
            "embedder": _embedder(vectors),
        }
        return Outcome(len(docs), metrics, placed_workers(records))

    return run.ensure(stage, build)


def _recall_curve(attempt: Attempt, records: list[dict[str, Any]], k: int) -> dict[str, float]:
    """The recall at each effort, all parts together."""
    answers = [read_parquet(attempt.location / record["file"]["path"]) for record in records]
    efforts = [one for one in pc.unique(answers[0].column("parameters")).to_pylist() if one != EXACT]
    exact = merge((_answers(table, EXACT) for table in answers), k)
    return {effort: recall(merge((_answers(table, effort) for table in answers), k), exact) for effort in efforts}


def _answers(table: pa.Table, parameters: str) -> Ranking:
    chosen = table.filter(pc.equal(table.column("parameters"), parameters)).drop_columns(["parameters"])
    teacher = pa.nulls(chosen.num_rows, pa.list_(pa.float32()))
    return Ranking.from_table(chosen.append_column("teacher_scores", teacher).cast(RANKING))


def _adopt(attempt: Attempt, records: list[dict[str, Any]]) -> dict[str, int]:
    """List the parts' files as files of the artifact; the bytes of each kind."""
    sizes = dict.fromkeys(_ENDINGS, 0)
    for number, record in enumerate(records):
        for what, file in record["files"].items():
            attempt.adopt(f"{what}/{number:06d}.{_ENDINGS[what]}", File(**file))
            sizes[what] += file["size"]
    return sizes


def _embedder(vectors: Artifact) -> dict[str, Any]:
    """Which model made the vectors: what queries have to be embedded with."""
    settings = vectors.manifest["settings"]["model"]
    return {"settings": settings, "fingerprint": vectors.manifest["inputs"]["model"]["fingerprint"]}
