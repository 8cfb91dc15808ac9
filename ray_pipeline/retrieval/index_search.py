"""Approximate search by a sharded faiss index, re-scored exactly, with its recall on record.

Each part of the corpus gets an index of its own, named by a faiss factory string. It proposes `oversample * k` documents a
query; these are scored again from the stored vectors, exactly as exact search scores them, and the k best kept. On a
seeded sample of the queries the exact answer is computed too: the share of it that was found is the recall, and stands in
the ranking's manifest. An index only ever misses documents; it never gives one a wrong score.

Trap: faiss pads short answers with id -1, and an IVF index that probes few cells gives short answers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.artifacts import parquet_bytes, read_parquet, write_file, write_shard
from ray_pipeline.config import Settings, identity
from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.rows import Rows, vectors_of
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.mining.positives import positive_scores
from ray_pipeline.storage import Location

_BLOCK_QUERIES = 1024


class IndexSearch(Settings):
    """Approximate search."""

    method: Literal["index"] = identity("index", "a faiss index a part, re-scored exactly")
    k: int = identity(1000, "documents a query", ge=1)
    factory: str = identity("IVF256,Flat", "faiss's factory string: Flat, HNSW32, IVF1024,Flat, IVF4096,SQ8, ...")
    parameters: str = identity("nprobe=16", "faiss search parameters, e.g. nprobe=32 or efSearch=128; empty for none")
    oversample: float = identity(2.0, "candidates a query as a multiple of k", ge=1)
    part_rows: int = identity(1 << 20, "documents an index", ge=1)
    train_rows: int = identity(1 << 17, "vectors an index is trained on at most", ge=1)
    recall_queries: int = identity(256, "queries whose exact answer is computed to measure the recall", ge=1)
    seed: int = identity(0, "of the training and recall samples")


@dataclass(frozen=True)
class MakeIndexShard:
    """Makes the worker; an index is built where it is searched."""

    queries: Rows
    docs: Rows
    settings: IndexSearch
    artifact: str
    prefix: str

    def __call__(self, device: str) -> IndexShard:
        return IndexShard(self, device)


class IndexShard:
    """Builds the index of a part and asks it all queries."""

    def __init__(self, plan: MakeIndexShard, device: str) -> None:
        self.plan = plan
        self.device = device

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        plan, first = self.plan, payload["start"]
        docs = vectors_of(plan.docs.slice(first, payload["stop"], ["vector"]))
        index = build_index(docs, plan.settings)
        rows = recall_rows(len(plan.queries), plan.settings)
        blocks, sampled = [], []
        for at, table in plan.queries.blocks(_BLOCK_QUERIES, ["vector"]):  # the queries are read once, for both answers
            queries = vectors_of(table)
            blocks.append(self._answer(index, docs, queries, at, first))
            sampled.append(queries[rows[(rows >= at) & (rows < at + len(queries))] - at])
        exact = search(np.concatenate(sampled), docs, plan.settings.k, device=self.device)
        shifted = Ranking(rows, np.where(exact.docs == PAD_DOC, PAD_DOC, exact.docs + first), exact.scores)
        place = Location.of(plan.artifact)
        kept = write_file(place, f"{plan.prefix}/exact/{payload['shard']:06d}.parquet", parquet_bytes(shifted.to_table()), len(rows))
        extra = {"counts": {"queries": len(plan.queries)}, "exact": vars(kept), "started": started, "ended": time.time()}
        return write_shard(place, plan.prefix, payload["shard"], parquet_bytes(_joined(blocks).to_table()), len(plan.queries), extra)

    def _answer(self, index: Any, docs: NDArray[np.float32], queries: NDArray[np.float32], first_query: int, first_doc: int) -> Ranking:
        k = self.plan.settings.k
        _, found = index.search(queries, min(round(k * self.plan.settings.oversample), len(docs)))
        found = found.astype(np.int64)
        held = found != PAD_DOC
        indptr = np.concatenate([[0], np.cumsum(held.sum(axis=1))]).astype(np.int64)
        scores = np.full(found.shape, -np.inf, dtype=np.float32)
        scores[held] = positive_scores(queries, docs, DocLists(indptr, found[held]))
        order = np.lexsort((-found, -scores), axis=1)[:, :k]
        best = np.take_along_axis(found, order, axis=1)
        rows = np.arange(first_query, first_query + len(queries), dtype=np.int64)
        return Ranking(rows, np.where(best == PAD_DOC, PAD_DOC, best + first_doc), np.take_along_axis(scores, order, axis=1))


def build_index(docs: NDArray[np.float32], settings: IndexSearch) -> Any:
    """A trained faiss index that holds `docs`."""
    try:
        import faiss
    except ImportError as problem:
        raise SettingsError("search.method=index needs faiss: install the extra `cpu` or `gpu`, or use search.method=dense") from problem
    try:
        index = faiss.index_factory(docs.shape[1], settings.factory, faiss.METRIC_INNER_PRODUCT)
        if not index.is_trained:
            sample = np.random.default_rng(settings.seed).permutation(len(docs))[: settings.train_rows]
            index.train(docs[np.sort(sample)])
        index.add(docs)
        if settings.parameters:
            faiss.ParameterSpace().set_index_parameters(index, settings.parameters)  # type: ignore[arg-type]  # their stub: one int
    except RuntimeError as problem:
        said = str(problem).splitlines()[0]
        raise DataError(
            f"search.factory={settings.factory!r}, search.parameters={settings.parameters!r} on {len(docs):,} vectors: faiss says {said!r}; "
            "try a smaller index (fewer cells) or other parameters"
        ) from problem
    return index


def recall_rows(queries: int, settings: IndexSearch) -> NDArray[np.int64]:
    """The queries whose exact answer is computed."""
    chosen = np.random.default_rng(settings.seed).permutation(queries)[: settings.recall_queries]
    return np.sort(chosen).astype(np.int64)


def recall(found: Ranking, exact: Ranking) -> float:
    """The share of the exact answers' documents that `found` holds, over the queries of `exact`."""
    place = {int(query): row for row, query in enumerate(found.queries)}
    wanted = kept = 0
    for query, docs in zip(exact.queries, exact.docs, strict=True):
        asked = docs[docs != PAD_DOC]
        wanted += len(asked)
        kept += int(np.isin(asked, found.docs[place[int(query)]]).sum())
    return kept / max(wanted, 1)


def read_exact(artifact: Location, record: dict[str, Any]) -> Ranking:
    """The exact answers a part's worker left beside its ranking."""
    return Ranking.from_table(read_parquet(artifact / record["exact"]["path"]))


def _joined(blocks: list[Ranking]) -> Ranking:
    return Ranking(*(np.concatenate([getattr(block, name) for block in blocks]) for name in ("queries", "docs", "scores")))
