"""Several scorings of the same candidates as one: a reranker with the retrieval before it, or an ensemble of rerankers.

* rrf       reciprocal rank fusion (Cormack et al. 2009): sum over the scorings of w / (60 + rank), ranks from 1;
* weighted  sum of w * score, for scores of one scale;
* z-norm    sum of w * (score - mean) / std, mean and std over the query's own candidates, for scores of unlike scales; a scoring
            that gives all candidates of a query one score says nothing about it and counts 0.

All are per query. Ties of a scoring share nothing: rrf ranks them in trec_eval's order, so that fusion is a function of the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import SettingsError
from ray_pipeline.ranking import PAD_DOC

Fusion = Literal["rrf", "weighted", "z-norm"]
RRF_K: Final = 60
Scores = NDArray[np.float32]


def fused(docs: NDArray[np.int64], scorings: Sequence[Scores], how: Fusion, weights: Sequence[float] | None = None) -> Scores:
    """[Q, n] scores out of several [Q, n] scorings of the documents `docs`, -1 where a list is shorter."""
    given = [1.0] * len(scorings) if weights is None else list(weights)
    if len(given) != len(scorings):
        raise SettingsError(f"{len(given)} weights for {len(scorings)} scorings; give each one")
    filled = docs != PAD_DOC
    total = np.zeros(docs.shape, dtype=np.float64)
    for weight, scores in zip(given, scorings, strict=True):
        total += weight * _KINDS[how](docs, np.where(filled, scores, -np.inf).astype(np.float64), filled)
    return np.where(filled, total, -np.inf).astype(np.float32)


def fused_lists(lists: Sequence[Sequence[str]]) -> list[tuple[str, float]]:
    """Reciprocal rank fusion of rankings that hold different documents: one that a list does not hold gets nothing from it. By
    score and then by id, both descending."""
    total: dict[str, float] = {}
    for ids in lists:
        for rank, name in enumerate(ids, 1):
            total[name] = total.get(name, 0.0) + 1.0 / (RRF_K + rank)
    by_id = sorted(total.items(), key=lambda one: one[0], reverse=True)
    return sorted(by_id, key=lambda one: -one[1])


def _reciprocal_ranks(docs: NDArray[np.int64], scores: NDArray[np.float64], filled: NDArray[np.bool_]) -> NDArray[np.float64]:
    order = np.lexsort((-docs, -scores), axis=1)
    ranks = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(1, order.shape[1] + 1), order.shape), 1)
    return np.asarray(1.0 / (RRF_K + ranks))


def _as_they_are(docs: NDArray[np.int64], scores: NDArray[np.float64], filled: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(filled, scores, 0.0)


def _standardised(docs: NDArray[np.int64], scores: NDArray[np.float64], filled: NDArray[np.bool_]) -> NDArray[np.float64]:
    count = np.maximum(filled.sum(axis=1, keepdims=True), 1)
    known = np.where(filled, scores, 0.0)
    mean = known.sum(axis=1, keepdims=True) / count
    apart = np.where(filled, known - mean, 0.0)
    std = np.sqrt((apart**2).sum(axis=1, keepdims=True) / count)
    return np.asarray(np.divide(apart, std, out=np.zeros_like(apart), where=std > 0))


_KINDS: Final = {"rrf": _reciprocal_ranks, "weighted": _as_they_are, "z-norm": _standardised}
