"""A ranking whose best n documents are put in order by other scores.

The first n documents of each list are ordered by their new scores, ties as everywhere (the higher document row first, which is
trec_eval's order); what stands behind them stays where it was. So that the scores of the whole list still fall, those behind the n-th
are 1, 2, ... below the lowest new one: ranks, no similarities.

A document without a new score (NaN) is an error: where it belongs is not known, and leaving it anywhere would be a guess.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.ranking import PAD_DOC, Ranking


def reordered(ranking: Ranking, scores: NDArray[np.float32]) -> Ranking:
    """`ranking` with its first documents in the order of `scores` [Q, n]; padded places may hold anything."""
    if len(scores) != len(ranking.docs) or scores.shape[1] > ranking.docs.shape[1]:
        raise ValueError(f"scores {scores.shape} for lists {ranking.docs.shape}")
    width = scores.shape[1]
    docs = ranking.docs[:, :width]
    filled = docs != PAD_DOC
    unknown = np.flatnonzero((np.isnan(scores) & filled).any(axis=1))
    if len(unknown):
        raise DataError(
            f"query row {ranking.queries[unknown[0]]} has a document without a score ({len(unknown)} such queries); score the ranking again"
        )
    new = np.where(filled, scores, -np.inf).astype(np.float32)
    order = np.lexsort((-docs, -new), axis=1)
    top, best = np.take_along_axis(docs, order, 1), np.take_along_axis(new, order, 1)
    rest = ranking.docs[:, width:]
    lowest = np.where(filled, new, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    below = np.where(rest == PAD_DOC, -np.inf, lowest - np.arange(1, rest.shape[1] + 1)).astype(np.float32)
    return Ranking(ranking.queries, np.concatenate([top, rest], axis=1), np.concatenate([best, below], axis=1))
