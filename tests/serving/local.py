"""A service over engines in this process."""

from __future__ import annotations

from ray_pipeline.models.pair_input import pair_input
from ray_pipeline.models.text_input import text_input
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.serving.backends import BatchedEmbedder, BatchedReranker, SearchedCollection
from ray_pipeline.serving.batch_settings import BatchSettings
from ray_pipeline.serving.engines import EmbedEngine, RerankEngine
from ray_pipeline.serving.limits import Limits
from ray_pipeline.serving.service import EmbedSide, RerankSide, Service

BATCHES = BatchSettings(token_budget=128, max_rows=8)


def service(parts: tuple[EmbedEngine, RerankEngine], collection: Collection | None = None, limits: Limits | None = None) -> Service:
    """Batchers belong to a running loop, so each scenario makes its own."""
    embed, rerank = parts
    settings = embed.embedder.settings
    return Service(
        limits or Limits(),
        EmbedSide(text_input(settings), embed.embedder.output_dim, embed.embedder.normalize, BatchedEmbedder(embed, BATCHES)),
        RerankSide(pair_input(rerank.reranker.settings), rerank.shared, False, BATCHES.token_budget, BatchedReranker(rerank, BATCHES)),
        None if collection is None else SearchedCollection(collection),
    )
