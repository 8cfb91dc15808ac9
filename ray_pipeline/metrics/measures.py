"""The ranking measures, as weighted counts of hits by query.

Definitions (trec_eval's, equal to pytrec_eval). Over a list cut at k, with R positives for the query and rel(i) = 1 when
the i-th document is positive:

    precision@k = found / k           found = sum of rel(i), i <= k; the divisor is k also where the list is shorter
    recall@k    = found / R
    hit@k       = 1 if found > 0
    mrr@k       = 1 / rank of the first positive, 0 when it lies beyond k            mrr: the whole list
    map@k       = sum over i <= k of rel(i) * precision@i, divided by R              map: the whole list (trec_eval)
    map_min@k   = the same sum divided by min(R, k)                                  (Kaggle; a perfect list scores 1 at any k)
    ndcg@k      = DCG / DCG of the best possible list, DCG = sum of grade(i) / log2(i + 1)  (linear gain, grades above 0)

With one positive a query map@k, map_min@k and mrr@k are one number. Traps: nDCG takes every grade above 0 as gain, also
those below `min_grade` (so does trec_eval's relevance level); sums over a query are bincounts, not differences of one
running sum, whose rounding would grow with the number of queries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.metrics.qrels import Hits, Qrels

Values = dict[str, NDArray[np.float64]]


def measure_names(ks: Sequence[int]) -> list[str]:
    """Every measure that is computed for these cuts, in report order."""
    cut = ("map", "map_min", "mrr", "ndcg", "precision", "recall", "hit")
    return ["map", "mrr", *(f"{name}@{k}" for name in cut for k in ks)]


def measure(hits: Hits, query_rows: NDArray[np.int64], qrels: Qrels, ks: Sequence[int], ideal: dict[int, NDArray[np.float64]]) -> Values:
    """[B] values by measure for the block's queries; 0 where a query has no positives (the caller drops those)."""
    size = len(query_rows)
    gains = hits.grades / np.log2(hits.ranks + 2)
    positive = hits.grades >= qrels.min_grade
    rows, ranks = hits.rows[positive], hits.ranks[positive]
    found = np.bincount(rows, minlength=size)
    nth = np.arange(1, len(rows) + 1) - (np.cumsum(found) - found)[rows]  # 1 for the first positive of its list
    precision_there = nth / (ranks + 1)
    first = nth == 1
    first_rank = np.full(size, np.iinfo(np.int64).max)
    first_rank[rows[first]] = ranks[first]
    reciprocal = np.zeros(size)
    reciprocal[rows[first]] = precision_there[first]
    relevant = np.maximum(qrels.positives[query_rows], 1)
    values: Values = {"map": _sums(rows, precision_there, size) / relevant, "mrr": reciprocal}
    for k in ks:
        inside = ranks < k
        found = np.bincount(rows[inside], minlength=size)
        summed = _sums(rows[inside], precision_there[inside], size)
        gained = _sums(hits.rows[hits.ranks < k], gains[hits.ranks < k], size)
        best = ideal[k][query_rows]
        values[f"map@{k}"] = summed / relevant
        values[f"map_min@{k}"] = summed / np.minimum(relevant, k)
        values[f"mrr@{k}"] = np.where(first_rank < k, reciprocal, 0.0)
        values[f"ndcg@{k}"] = np.divide(gained, best, out=np.zeros(size), where=best > 0)
        values[f"precision@{k}"] = found / k
        values[f"recall@{k}"] = found / relevant
        values[f"hit@{k}"] = (found > 0).astype(np.float64)
    return values


def ideal_dcg(qrels: Qrels, ks: Sequence[int]) -> dict[int, NDArray[np.float64]]:
    """[Q] by k: the DCG of each query's judged documents, best grades first; a grade below 0 gains nothing."""
    grades = np.maximum(qrels.grades, 0)
    order = np.lexsort((-grades, qrels.query_rows))
    places = np.arange(len(order)) - qrels.indptr[qrels.query_rows]  # the sort keeps each query's stretch in place
    gains = grades[order] / np.log2(places + 2)
    return {k: _sums(qrels.query_rows[places < k], gains[places < k], qrels.queries) for k in ks}


def _sums(rows: NDArray[np.int64], weights: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """[size] the sum of the weights of each row."""
    return np.bincount(rows, weights, size).astype(np.float64, copy=False)
