"""Building an index part by part: one training for all, then each part adds its own documents.

Shard 0 trains an empty index on a seeded sample of the whole corpus; shard i + 1 fills a copy with the documents of part i, so scores
of parts compare and a part can be built anywhere. Beside its index a part keeps its vectors as they are scored from, its ids, and its
answers to the recall queries: exact ones, and one list an effort.

A part's bytes depend on its descriptor alone. Its memory is its vectors about three times over.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.artifacts import parquet_bytes, write_file, write_shard
from ray_pipeline.data.rows import Rows, vectors_of
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.exclusion import Exclusion
from ray_pipeline.retrieval.index.faiss_index import FaissIndex
from ray_pipeline.retrieval.index.part import IndexPart
from ray_pipeline.retrieval.index.recall import sample
from ray_pipeline.retrieval.index.settings import AUTO, IndexSettings
from ray_pipeline.storage import Location

TRAINING: Final = 0
EXACT: Final = "exact"


@dataclass(frozen=True)
class MakeTraining:
    """Makes the worker that trains."""

    docs: Rows
    kind: str  # faiss's factory string
    settings: IndexSettings
    artifact: str
    prefix: str

    def __call__(self, device: str) -> Training:
        return Training(self, device)


class Training:
    """Trains an empty index on a sample of the corpus."""

    def __init__(self, plan: MakeTraining, device: str) -> None:
        self.plan = plan
        self.device = device

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        plan = self.plan
        rows = sample(len(plan.docs), plan.settings.train_rows, plan.settings.seed)
        index = FaissIndex.trained(plan.kind, vectors_of(plan.docs.take(rows, ["vector"])), self.device)
        place = Location.of(plan.artifact)
        kept = write_file(place, f"{plan.prefix}/trained.faiss", index.to_bytes(), None)
        extra = {"trained": vars(kept), "counts": {"rows": len(rows)}, "started": started, "ended": time.time()}
        return write_shard(place, plan.prefix, payload["shard"], parquet_bytes(pa.table({"row": rows})), len(rows), extra)


@dataclass(frozen=True)
class MakeIndexPart:
    """Makes the worker that fills parts. `asked`: the queries that recall is measured on; None: documents ask."""

    docs: Rows
    asked: Rows | None
    kind: str
    trained: str  # where the empty index lies in the artifact
    settings: IndexSettings
    artifact: str
    prefix: str

    def __call__(self, device: str) -> BuildPart:
        return BuildPart(self, device)


class BuildPart:
    """Fills a copy of the trained index with the documents of a part, and measures what it finds."""

    def __init__(self, plan: MakeIndexPart, device: str) -> None:
        self.plan = plan
        self.device = device
        self.trained = (Location.of(plan.artifact) / plan.trained).read()
        self.queries, self.rows = recall_queries(plan.docs, plan.asked, plan.settings)

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        plan, first, stop = self.plan, payload["start"], payload["stop"]
        place = Location.of(plan.artifact)
        table = plan.docs.slice(first, stop, ["id", "vector"])
        vectors = vectors_of(table)
        index = FaissIndex.from_bytes(self.trained, plan.kind)
        index.add(vectors, self.device)
        stored = None if plan.settings.vectors == "none" else vectors.astype(plan.settings.vectors, copy=False)
        files = {
            "index": write_file(place, self._path("index", first, "faiss"), index.to_bytes(), len(index)),
            "ids": write_file(place, self._path("ids", first, "parquet"), parquet_bytes(table.select(["id"])), len(index)),
        }
        if stored is not None:
            files["vectors"] = write_file(place, self._path("vectors", first, "npy"), _npy(stored), len(index))
        answers = self._answers(IndexPart(index, stored, first, plan.settings.oversample), vectors)
        extra = {
            "files": {name: vars(file) for name, file in files.items()},
            "start": first,
            "counts": {"rows": len(index)},
            "started": started,
            "ended": time.time(),
        }
        return write_shard(place, plan.prefix, payload["shard"], parquet_bytes(answers), len(index), extra)

    def _path(self, what: str, first: int, ending: str) -> str:
        return f"{self.plan.prefix}/{what}/{first:012d}.{ending}"

    def _answers(self, part: IndexPart, vectors: NDArray[np.float32]) -> pa.Table:
        """What is found of the recall queries' documents: exactly, and at each effort."""
        k = self.plan.settings.recall_at
        inside = (self.rows >= part.first) & (self.rows < part.first + len(part))
        itself = Exclusion(np.concatenate([[0], np.cumsum(inside)]).astype(np.int64), self.rows[inside] - part.first)
        exact = search(self.queries, vectors, k, exclude=itself, device=self.device)
        tables = [_named(EXACT, _shifted(exact, part.first))]
        given = self.plan.settings.parameters
        for parameters in part.index.efforts() if given == AUTO else [given]:
            part.index.set_parameters(parameters)
            found = part.search(self.queries, k + 1)
            tables.append(_named(parameters, _without(found, self.rows, k)))
        return pa.concat_tables(tables)


def recall_queries(docs: Rows, asked: Rows | None, settings: IndexSettings) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The vectors that ask, and the document that each of them is (-1: a query of its own)."""
    source = docs if asked is None else asked
    rows = sample(len(source), settings.recall_queries, settings.seed + 1)
    vectors = vectors_of(source.take(rows, ["vector"]))
    return vectors, rows if asked is None else np.full(len(rows), PAD_DOC, dtype=np.int64)


def _npy(vectors: NDArray[np.float32] | NDArray[np.float16]) -> bytes:
    """A .npy file, whose rows can be mapped."""
    sink = io.BytesIO()
    np.save(sink, vectors, allow_pickle=False)
    return sink.getvalue()


def _shifted(ranking: Ranking, first: int) -> Ranking:
    return Ranking(ranking.queries, np.where(ranking.docs == PAD_DOC, PAD_DOC, ranking.docs + first), ranking.scores)


def _without(found: Ranking, itself: NDArray[np.int64], k: int) -> Ranking:
    """The first k of each list that are not the asking document."""
    gone = (found.docs == itself[:, None]) | (found.docs == PAD_DOC)
    order = np.argsort(gone, axis=1, kind="stable")[:, :k]
    docs, scores = np.where(gone, PAD_DOC, found.docs), np.where(gone, np.float32(-np.inf), found.scores)
    return Ranking(found.queries, np.take_along_axis(docs, order, axis=1), np.take_along_axis(scores, order, axis=1))


def _named(parameters: str, ranking: Ranking) -> pa.Table:
    table = ranking.to_table().select(["query", "docs", "scores"])
    return table.append_column("parameters", pa.array([parameters] * table.num_rows, pa.string()))
