"""The parts of the service as Ray Serve runs them: each scales, restarts and updates by itself.

What travels between them are arrays of numbers: token ids one way, vectors and scores the other. An error of one item travels as its
words; the caller that it belongs to is told, and nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.models.source import locate
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.index.opened import Share
from ray_pipeline.retrieval.lexical.bm25 import Statistics
from ray_pipeline.serving.backends import BatchedEmbedder, BatchedReranker, SearchedCollection
from ray_pipeline.serving.engines import EmbedEngine, RerankEngine, use_threads
from ray_pipeline.serving.items import QueryWithDocuments
from ray_pipeline.serving.service import Found, Lookup
from ray_pipeline.storage import Location
from serve.log_lines import started
from serve.packing import Packed, Told, told, unpacked
from serve.settings import Replicas, ServeSettings

logger = logging.getLogger(__name__)


def _device(replicas: Replicas) -> str:
    if not replicas.gpus:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


class EmbedderReplica:
    """Holds the embedder."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        given = started(settings)
        assert given.model is not None
        use_threads(given.embed_batches)
        self._engine = EmbedEngine(given.model, _device(given.embedders))
        self._batched = BatchedEmbedder(self._engine, given.embed_batches)
        self._about = about_embedder(self._engine, given)

    async def embed(self, packed: Packed) -> Told:
        return told(await self._batched.embed(unpacked(packed)))

    async def about(self) -> dict[str, Any]:
        return self._about

    def record_autoscaling_stats(self) -> dict[str, float]:
        return {"waiting_tokens": float(self._batched.batcher.waiting_tokens)}


class RerankerReplica:
    """Holds the reranker."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        given = started(settings)
        assert given.reranker is not None
        use_threads(given.rerank_batches)
        self._engine = RerankEngine(given.reranker, _device(given.rerankers))
        self._batched = BatchedReranker(self._engine, given.rerank_batches)
        self._about = about_reranker(self._engine, given)

    async def score(self, heads: Packed, bodies: Packed, counts: Sequence[int]) -> Told:
        pieces, items, taken = unpacked(bodies), [], 0
        for head, count in zip(unpacked(heads), counts, strict=True):
            items.append(QueryWithDocuments(head, pieces[taken : taken + count]))
            taken += count
        return told(await self._batched.score(items))

    async def about(self) -> dict[str, Any]:
        return self._about

    def record_autoscaling_stats(self) -> dict[str, float]:
        return {"waiting_tokens": float(self._batched.batcher.waiting_tokens)}


class IndexReplica:
    """Holds a share of the collection, and follows it."""

    def __init__(self, settings: Mapping[str, Any], share: int) -> None:
        given = started(settings)
        assert given.collection is not None
        collection = Collection(Location.of(given.workspace), given.collection)
        self._collection = SearchedCollection(collection, given.search_threads, Share(share, given.shares))
        self._every = given.refresh_s
        self._following: asyncio.Task[None] | None = None

    async def search(self, lookup: Lookup) -> Found:
        self._follow()
        return await self._collection.search(lookup)

    async def statistics(self, texts: Sequence[str]) -> tuple[str, Statistics]:
        self._follow()
        return await self._collection.statistics(texts)

    async def about(self) -> dict[str, Any]:
        self._follow()
        state = self._collection.state
        return {"state": state.name, "documents": len(state), "fields": state.fields, "embedder": state.version.embedder}

    def _follow(self) -> None:
        """The first call finds the replica's event loop running."""
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._keep_up())

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self._collection.refresh()
            except Exception:  # whatever it is, the state in use goes on being served, and is tried again
                logger.exception("the collection could not be followed")


def about_embedder(engine: EmbedEngine, settings: ServeSettings) -> dict[str, Any]:
    """What others need to know of the embedder, and what `/info` shows."""
    embedder = engine.embedder
    files = locate(embedder.settings.name, embedder.settings.revision)
    return {
        "name": files.name,
        "revision": files.revision,
        "fingerprint": files.as_input().fingerprint,
        "dim": embedder.output_dim,
        "normalizes": embedder.normalize,
        "pooling": embedder.pooling,
        "max_length": embedder.text_input.encoder.max_length,
        "precision": embedder.weights.precision,
        "device": str(embedder.device),
        "token_budget": settings.embed_batches.token_budget,
    }


def about_reranker(engine: RerankEngine, settings: ServeSettings) -> dict[str, Any]:
    """The same of the reranker."""
    reranker = engine.reranker
    files = locate(reranker.settings.name, reranker.settings.revision)
    return {
        "name": files.name,
        "revision": files.revision,
        "fingerprint": files.as_input().fingerprint,
        "kind": reranker.settings.kind,
        "score": reranker.settings.score,
        "shared": engine.shared,
        "max_length": reranker.pair_input.encoder.max_length,
        "precision": reranker.weights.precision,
        "device": str(reranker.device),
        "token_budget": settings.rerank_batches.token_budget,
    }
