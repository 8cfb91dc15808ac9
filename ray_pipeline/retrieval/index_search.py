"""Approximate search of blocks of queries in a published index."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ray_pipeline.artifacts import load, parquet_bytes, write_shard
from ray_pipeline.config import Settings, identity, section
from ray_pipeline.retrieval.index.opened import OpenedIndex
from ray_pipeline.retrieval.index.settings import STAGE, IndexSettings
from ray_pipeline.storage import Location


class IndexSearch(Settings):
    """Approximate search."""

    method: Literal["index"] = identity("index", "a faiss index, its candidates scored exactly")
    k: int = identity(1000, "documents a query", ge=1)
    index: IndexSettings = section(IndexSettings(), "the index, built if it is not there")
    query_block: int = identity(2048, "queries a unit of work", ge=1)


@dataclass(frozen=True)
class MakeIndexSearch:
    """Makes the worker; `index` is the artifact's place."""

    index: str
    k: int
    artifact: str
    prefix: str

    def __call__(self, device: str) -> IndexSearchShard:
        return IndexSearchShard(self)


class IndexSearchShard:
    """Asks an opened index a block of queries."""

    def __init__(self, plan: MakeIndexSearch) -> None:
        self.plan = plan
        self.index = OpenedIndex.of(load(plan.index, STAGE))

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        queries = np.asarray(payload["vectors"], dtype=np.float32)
        found = self.index.search(queries, self.plan.k)
        ranking = replace(found, queries=found.queries + payload["start"])
        extra = {"counts": {"queries": len(queries)}, "started": started, "ended": time.time()}
        return write_shard(
            Location.of(self.plan.artifact), self.plan.prefix, payload["shard"], parquet_bytes(ranking.to_table()), len(queries), extra
        )
