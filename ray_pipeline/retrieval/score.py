"""A reranker's scores for what is already paired (`paired.py`), shard by shard.

A shard is a stretch of rows (of groups, or of a ranking's queries). One side of the work, which needs no model, reads a shard's texts
and makes them into tokens; the other scores them and writes the rows again, with the scores beside the ids.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.config import Settings, identity
from ray_pipeline.errors import ModelError
from ray_pipeline.models.pair_input import PairInput, pair_input
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.retrieval.paired import Paired, ScoredRows
from ray_pipeline.text.pairs import PairTokens
from ray_pipeline.text.tokens import Tokens

if TYPE_CHECKING:
    from ray_pipeline.models.reranker import Reranker


class ScoreSettings(Settings):
    """How pairs are cut into shards and batches."""

    shard_rows: int = identity(64, "queries a shard: the unit of work, of retry and of progress", ge=1)
    token_budget: int = identity(4096, "padded tokens a batch at most", ge=1)
    max_rows: int = identity(128, "pairs a batch at most", ge=1)
    shared_prefix: bool = identity(True, "a causal reranker reads a query once for all its documents, where the model allows")


@dataclass(frozen=True)
class TokenisePairs:
    """Reads the rows of a shard and turns their pairs into tokens."""

    paired: Paired
    reranker: RerankerSettings

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        pairs = _pair_input(self.reranker).encoder.encode(*self.paired.texts(shard["start"], shard["stop"]))
        return {
            "start": shard["start"],
            "stop": shard["stop"],
            "heads": pairs.heads.ids,
            "head_offsets": pairs.heads.offsets,
            "bodies": pairs.bodies.ids,
            "body_offsets": pairs.bodies.offsets,
            "query_of": pairs.query_of,
            "truncated": pairs.bodies.truncated,
        }


@functools.lru_cache(maxsize=4)
def _pair_input(reranker: RerankerSettings) -> PairInput:
    """Loaded once a process, not once a shard."""
    return pair_input(reranker)


@dataclass(frozen=True)
class MakeScoreShard:
    """Makes the worker on whatever device it is given."""

    rows: ScoredRows
    reranker: RerankerSettings
    settings: ScoreSettings

    def __call__(self, device: str) -> ScoreShard:
        from ray_pipeline.models.packed_linear import packed  # torch: only where a model is loaded, not in tokenising tasks
        from ray_pipeline.models.reranker import Reranker

        return ScoreShard(self, packed(Reranker(self.reranker, device)))


class ScoreShard:
    """Holds the model; turns tokens into scored rows and their record."""

    def __init__(self, plan: MakeScoreShard, reranker: Reranker) -> None:
        self.plan = plan
        self.reranker = reranker

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        heads = Tokens(np.asarray(payload["heads"]), np.asarray(payload["head_offsets"]), 0)
        bodies = Tokens(np.asarray(payload["bodies"]), np.asarray(payload["body_offsets"]), payload["truncated"])
        pairs = PairTokens(heads, bodies, np.asarray(payload["query_of"]))
        scores = self._scores(pairs)
        if not np.isfinite(scores).all():
            raise ModelError(
                f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are NaN or infinite; "
                "try reranker.precision=fp32 or bf16, or check the model's weights"
            )
        counts = {"tokens": int(pairs.lengths.sum()), "truncated": payload["truncated"]}
        return self.plan.rows.write(payload, scores, counts, started)

    def _scores(self, pairs: PairTokens) -> NDArray[np.float32]:
        from ray_pipeline.models.shared_prefix import can_share, shared_scores

        settings = self.plan.settings
        if settings.shared_prefix and can_share(self.reranker):
            return shared_scores(self.reranker, pairs, settings.token_budget)
        return self.reranker.score(pairs, settings.token_budget, settings.max_rows)
