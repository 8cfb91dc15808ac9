"""The same scoring by a model that is shown whole lists: texts travel, not tokens, since what it is asked depends on the list."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.retrieval.paired import Paired, ScoredRows

if TYPE_CHECKING:
    from ray_pipeline.retrieval.listwise_reranker import ListwiseReranker


@dataclass(frozen=True)
class ReadTexts:
    """Reads the rows of a shard as they are, for a model that is shown whole lists."""

    paired: Paired

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        queries, documents, query_of = self.paired.texts(shard["start"], shard["stop"])
        texts = json.dumps({"queries": queries, "documents": documents})
        return {"start": shard["start"], "stop": shard["stop"], "texts": texts, "query_of": query_of}


@dataclass(frozen=True)
class MakeListShard:
    """Makes the worker of a listwise reranker."""

    rows: ScoredRows
    reranker: RerankerSettings

    def __call__(self, device: str) -> ListShard:
        from ray_pipeline.retrieval.listwise_reranker import ListwiseReranker

        return ListShard(self, ListwiseReranker(self.reranker, device))


class ListShard:
    """Holds the model; turns each query's list into scored rows."""

    def __init__(self, plan: MakeListShard, reranker: ListwiseReranker) -> None:
        self.plan = plan
        self.reranker = reranker

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        texts, query_of = json.loads(payload["texts"]), np.asarray(payload["query_of"])
        scores = np.empty(len(query_of), dtype=np.float32)
        for query, text in enumerate(texts["queries"]):
            mine = np.flatnonzero(query_of == query)
            scores[mine] = self.reranker.rank(text, [texts["documents"][pair] for pair in mine])
        return self.plan.rows.write(payload, scores, {"truncated": 0}, started)
