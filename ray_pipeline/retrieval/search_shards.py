"""Searching shard by shard: a block of queries against a part of the corpus is one unit of work.

Scores do not depend on how the work is cut (see `search`), so parts merge exactly. One part (the default up to
`part_rows` documents) makes each unit's result final; more parts let many workers share a search of few queries.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact, parquet_bytes, read_parquet, write_shard
from ray_pipeline.config import Settings, identity, placement
from ray_pipeline.data.rows import Rows, vectors_of
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.exact.product import Kernel
from ray_pipeline.retrieval.exact.search import BLOCK_ROWS, StreamingSearch
from ray_pipeline.retrieval.exact.topk import merge
from ray_pipeline.retrieval.exclusion import Exclusion
from ray_pipeline.retrieval.lexical.bm25 import K1, B
from ray_pipeline.storage import Location


class DenseSearch(Settings):
    """Exact search of vectors."""

    method: Literal["dense"] = identity("dense", "exact inner product of embeddings")
    k: int = identity(1000, "documents a query", ge=1)
    exclude_self: bool = identity(False, "a query never finds the document with its own id (statements searching statements)")
    exclude_positives: bool = identity(False, "known positives are left out (what else is near?)")
    query_block: int = identity(2048, "queries a unit of work", ge=1)
    part_rows: int = identity(1 << 22, "documents a unit of work at most; fewer lets more workers share few queries", ge=1)
    kernel: Literal["auto"] | Kernel = placement("auto", "the product's first pass; all give the same result")


class LexicalSearch(Settings):
    """BM25: the baseline of every report, and another source of negatives."""

    method: Literal["bm25"] = identity("bm25", "BM25 over words")
    k: int = identity(1000, "documents a query", ge=1)
    k1: float = identity(K1, "how soon more of the same word stops counting", ge=0)
    b: float = identity(B, "how much a document's length counts", ge=0, le=1)
    exclude_self: bool = identity(False, "a query never finds the document with its own id (statements searching statements)")
    exclude_positives: bool = identity(False, "known positives are left out (what else is near?)")
    query_block: int = identity(2048, "queries a unit of work", ge=1)


@dataclass(frozen=True)
class ReadQueries:
    """Reads the vectors of a block of queries."""

    queries: Rows

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        return {**shard, "vectors": vectors_of(self.queries.slice(shard["start"], shard["stop"], ["vector"]))}


@dataclass(frozen=True)
class MakeSearchShard:
    """Makes the worker; `excluded` is given for all queries."""

    docs: Rows
    settings: DenseSearch
    excluded: Exclusion | None
    artifact: str
    prefix: str

    def __call__(self, device: str) -> SearchShard:
        return SearchShard(self, device)


class SearchShard:
    """Streams the documents of a part past a block of queries."""

    def __init__(self, plan: MakeSearchShard, device: str) -> None:
        self.plan = plan
        self.device = device

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        rows = np.arange(payload["start"], payload["stop"], dtype=np.int64)
        stream = StreamingSearch(
            np.asarray(payload["vectors"]),
            self.plan.settings.k,
            query_rows=rows,
            exclude=None if self.plan.excluded is None else excluded_for(self.plan.excluded, payload["start"], payload["stop"]),
            kernel=self.plan.settings.kernel,
            device=self.device,
        )
        for start in range(payload["first_doc"], payload["last_doc"], BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, payload["last_doc"])
            stream.add(start, vectors_of(self.plan.docs.slice(start, stop, ["vector"])))
        table = stream.result().to_table()
        extra = {"counts": {"queries": len(rows)}, "block": payload["block"], "started": started, "ended": time.time()}
        return write_shard(Location.of(self.plan.artifact), self.plan.prefix, payload["shard"], parquet_bytes(table), len(rows), extra)


def units(queries: int, docs: int, settings: DenseSearch) -> list[dict[str, int]]:
    """Descriptors of all (block of queries, part of the corpus) pairs."""
    parts = [(start, min(start + settings.part_rows, docs)) for start in range(0, docs, settings.part_rows)]
    blocks = [(start, min(start + settings.query_block, queries)) for start in range(0, queries, settings.query_block)]
    return [
        {"shard": block * len(parts) + part, "block": block, "start": first, "stop": last, "first_doc": low, "last_doc": high}
        for block, (first, last) in enumerate(blocks)
        for part, (low, high) in enumerate(parts)
    ]


def merged(artifact: Location, records: list[dict[str, Any]], k: int) -> Ranking:
    """The ranking of one block from the records of its parts, two of them in memory at a time."""
    return merge((Ranking.from_table(read_parquet(artifact / record["file"]["path"])) for record in records), k)


def ranking_of(artifact: Artifact) -> Ranking:
    """A whole ranking artifact in memory."""
    return Ranking.from_table(artifact.table("ranking/"))


def teacher_scores(artifact: Artifact, width: int) -> NDArray[np.float32] | None:
    """The teacher's scores beside a ranking's, NaN where it gave none; None where no teacher scored it."""
    table = artifact.table("ranking/")
    return None if table.column("teacher_scores").null_count == table.num_rows else teacher_scores_of(table, width)


def teacher_scores_of(ranking: pa.Table, width: int) -> NDArray[np.float32]:
    """The first `width` of each query's teacher scores, NaN where there is none."""
    rows = [[] if row is None else row[:width] for row in ranking.column("teacher_scores").to_pylist()]
    return np.array([[*(np.nan if score is None else score for score in row), *[np.nan] * (width - len(row))] for row in rows], dtype=np.float32)


def excluded_for(exclusion: Exclusion, start: int, stop: int) -> Exclusion:
    """What is excluded for the queries start..stop-1."""
    low, high = exclusion.indptr[start], exclusion.indptr[stop]
    return Exclusion(exclusion.indptr[start : stop + 1] - low, exclusion.docs[low:high])


def without_excluded(ranking: Ranking, excluded: Exclusion, k: int) -> Ranking:
    """The first k documents of each row that are not excluded; row i of both is the same query."""
    pairs = ranking.docs + (np.arange(len(ranking.docs), dtype=np.int64)[:, None] << 32)  # a document row fits 32 bits
    gone = np.isin(pairs, excluded.docs + (excluded.queries() << 32))
    docs, scores = np.where(gone, PAD_DOC, ranking.docs), np.where(gone, np.float32(-np.inf), ranking.scores)
    order = np.argsort(docs == PAD_DOC, axis=1, kind="stable")[:, :k]
    return Ranking(ranking.queries, np.take_along_axis(docs, order, axis=1), np.take_along_axis(scores, order, axis=1))
