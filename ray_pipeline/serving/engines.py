"""The models of a service: what runs in the thread behind a batcher. An engine takes the items of one batch, which the batcher has cut
already.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ray_pipeline.errors import ModelError
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.packed_linear import packed
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.shared_prefix import can_share, shared_scores
from ray_pipeline.serving.batch_settings import BatchSettings
from ray_pipeline.serving.items import Ids, QueryWithDocuments
from ray_pipeline.text.pairs import PairTokens
from ray_pipeline.text.tokens import joined

_WHOLE: Final = 1 << 40  # a budget that cuts nothing: the batch is cut already


class EmbedEngine:
    """An embedder on one device."""

    def __init__(self, settings: EmbedderSettings, device: str = "cpu") -> None:
        self.embedder = packed(Embedder(settings, device))
        self([np.asarray(self.embedder.tokenize(["warm"], "document").ids)])  # the first batch is slow: not a caller's

    def __call__(self, items: Sequence[Ids]) -> list[NDArray[np.float32]]:
        tokens = joined(items)
        vectors = self.embedder.encode(tokens, _WHOLE, len(items))
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise ModelError(f"{len(bad)} of {len(items)} vectors are NaN or infinite; try model.precision=fp32 or bf16")
        return list(vectors)


class RerankEngine:
    """A reranker on one device. `shared`: a query is read once for all its documents."""

    def __init__(self, settings: RerankerSettings, device: str = "cpu") -> None:
        self.reranker = packed(Reranker(settings, device))
        self.shared = can_share(self.reranker)
        self.reranker.rank("warm", ["warm"])  # as above

    def __call__(self, items: Sequence[QueryWithDocuments]) -> list[NDArray[np.float32]]:
        counts = [len(item.bodies) for item in items]
        heads = joined([item.head for item in items])
        bodies = joined([body for item in items for body in item.bodies])
        pairs = PairTokens(heads, bodies, np.repeat(np.arange(len(items)), counts))
        scores = shared_scores(self.reranker, pairs, _WHOLE) if self.shared else self.reranker.score(pairs, _WHOLE, len(pairs))
        if not np.isfinite(scores).all():
            raise ModelError(f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are NaN or infinite; try reranker.precision=fp32 or bf16")
        return np.split(scores, np.cumsum(counts)[:-1])


def use_threads(settings: BatchSettings) -> None:
    """For this process, whatever its environment says: Ray tells torch in a replica that holds no whole core to take one."""
    torch.set_num_threads(settings.threads or len(os.sched_getaffinity(0)))
