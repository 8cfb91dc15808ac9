"""The scores of documents known to be relevant.

They anchor the margins, so they must be measured as the candidates' were: from the same vectors
by the same definition (`positive_scores`), or in the same ranking (`scores_in_ranking`).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.ranking import Ranking

_GATHER_BYTES: Final = 64 << 20  # of the two gathered blocks of vectors in float64


def positive_scores(
    query_vectors: NDArray[np.float32] | NDArray[np.float16], doc_vectors: NDArray[np.float32] | NDArray[np.float16], positives: DocLists
) -> NDArray[np.float32]:
    """[P] the score of each positive: the exact inner product rounded to float32, the same number that exact search gives the pair.

    A float64 sum is within `slack` of the exact one, so where both ends of that bracket round to one float32 it is the score.
    The few pairs left are summed exactly.
    """
    scores = np.empty(len(positives.docs), dtype=np.float32)
    rows = positives.rows()
    step = max(1, _GATHER_BYTES // (16 * query_vectors.shape[1]))
    for start in range(0, len(scores), step):
        block = slice(start, start + step)
        products = query_vectors[rows[block]].astype(np.float64) * doc_vectors[positives.docs[block]]
        total = products.sum(axis=1)
        slack = np.abs(products).sum(axis=1) * ((products.shape[1] + 4) * 2.0**-53)
        low, high = (total - slack).astype(np.float32), (total + slack).astype(np.float32)
        for pair in np.flatnonzero(low != high).tolist():
            low[pair] = math.fsum(products[pair].tolist())
        scores[block] = low
    return scores


def scores_in_ranking(ranking: Ranking, positives: DocLists) -> NDArray[np.float32]:
    """[P] the score each positive has in its query's ranking; NaN where the ranking does not hold it."""
    scores = np.full(len(positives.docs), np.nan, dtype=np.float32)
    slots = DocLists(positives.indptr, np.arange(len(positives.docs))).take(ranking.queries)
    for rows, at in slots.turns():
        slot = slots.docs[at]
        hits = ranking.docs[rows] == positives.docs[slot, None]
        found = hits.any(axis=1)
        scores[slot[found]] = ranking.scores[rows[found], hits.argmax(axis=1)[found]]
    return scores
