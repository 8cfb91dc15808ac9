"""Best documents first, as one integer comparison: sort keys, and the merge of shards' rankings.

A (score, document row) pair becomes one int64 key whose order is the ranking's order: the score's bits, mapped to a
signed integer that grows with the score, above 32 bits of row. "Score descending, then row descending" is then "key
descending", keys of different documents are never equal, and the k largest keys are one set whatever order they are
looked at in. That makes selecting and merging associative and independent of order, which sharding needs.

Traps: -0.0 and 0.0 have different bits but are the same score, so scores are brought to 0.0 first; a row must fit 32 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.ranking import PAD_DOC, Ranking

ROW_LIMIT: Final = 1 << 32
PAD_KEY: Final = torch.iinfo(torch.int64).min  # below every document's key: the bits of a NaN, which no score has
_CHUNK: Final = 1 << 22  # keys handled at once, so that a merge's working memory does not grow with the queries


def _ordered(bits: Tensor) -> Tensor:
    """float32 bits as int32 in the order of the floats, and back: it is its own inverse."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def keys_of(scores: Tensor, rows: Tensor) -> Tensor:
    """int64 keys of float32 scores and int64 rows in [0, ROW_LIMIT); larger is better."""
    high = _ordered((scores + 0.0).view(torch.int32)).to(torch.int64)
    return (high << 32) | rows


def scores_of(keys: Tensor) -> Tensor:
    """float32 scores of keys; -inf for padding."""
    scores = _ordered((keys >> 32).to(torch.int32)).view(torch.float32)
    return scores.masked_fill(keys == PAD_KEY, -torch.inf)


def rows_of(keys: Tensor) -> Tensor:
    """int64 document rows of keys; PAD_DOC for padding."""
    return (keys & (ROW_LIMIT - 1)).masked_fill(keys == PAD_KEY, PAD_DOC)


def best(keys: Tensor, k: int) -> Tensor:
    """The k largest keys of each row, largest first; padded where there are fewer."""
    kept = torch.topk(keys, min(k, keys.shape[1]), dim=1, sorted=True).values
    return torch.nn.functional.pad(kept, (0, k - kept.shape[1]), value=PAD_KEY)


def ranking_of(keys: Tensor, queries: NDArray[np.int64]) -> Ranking:
    """The ranking that sorted keys [Q, k] stand for."""
    docs, scores = np.empty(keys.shape, dtype=np.int64), np.empty(keys.shape, dtype=np.float32)
    step = max(1, _CHUNK // max(1, keys.shape[1]))
    for start in range(0, len(keys), step):
        part = keys[start : start + step]
        repeated = ((part[:, 1:] == part[:, :-1]) & (part[:, 1:] != PAD_KEY)).nonzero()
        if len(repeated):
            query, place = repeated[0].tolist()
            row, seen_by = int(rows_of(part)[query, place]), int(queries[start + query])
            raise DataError(f"document row {row} came twice (seen for query row {seen_by}): blocks and shards must not overlap")
        docs[start : start + step], scores[start : start + step] = rows_of(part).cpu().numpy(), scores_of(part).cpu().numpy()
    return Ranking(queries, docs, scores)


def check_k(k: int) -> None:
    if k < 1:
        raise SettingsError(f"k={k}: a ranking needs k >= 1")


def _keys_of_ranking(ranking: Ranking, rows: slice) -> Tensor:
    docs, scores = torch.from_numpy(ranking.docs[rows]), torch.from_numpy(ranking.scores[rows])
    if bool(scores.isnan().any()):
        query = int(scores.isnan().any(dim=1).nonzero()[0, 0])
        raise DataError(f"the ranking of query row {int(ranking.queries[rows][query])} has a NaN score, which has no place in an order")
    if bool((docs >= ROW_LIMIT).any()):
        raise DataError(f"document row {int(docs.max())} does not fit 32 bits")
    return keys_of(scores, docs).masked_fill(docs == PAD_DOC, PAD_KEY)


def _merge_two(first: Ranking, second: Ranking, k: int) -> Ranking:
    if not np.array_equal(first.queries, second.queries):
        raise DataError(f"rankings of different queries cannot be merged: {len(first.queries)} and {len(second.queries)} query rows differ")
    step = max(1, _CHUNK // (first.docs.shape[1] + second.docs.shape[1] + 1))
    docs = np.empty((len(first.queries), k), dtype=np.int64)
    scores = np.empty((len(first.queries), k), dtype=np.float32)
    for start in range(0, len(first.queries), step):
        rows = slice(start, start + step)
        part = ranking_of(best(torch.cat([_keys_of_ranking(first, rows), _keys_of_ranking(second, rows)], dim=1), k), first.queries[rows])
        docs[rows], scores[rows] = part.docs, part.scores
    return Ranking(first.queries, docs, scores)


def merge(rankings: Iterable[Ranking], k: int) -> Ranking:
    """The k best of disjoint shards' rankings of the same queries; each shard must have been searched for at least k.

    One ranking is looked at after another, so a generator that loads shards one by one holds two of them at a time.
    """
    check_k(k)
    merged: Ranking | None = None
    for ranking in rankings:
        empty = Ranking(ranking.queries, np.empty((len(ranking.queries), 0), np.int64), np.empty((len(ranking.queries), 0), np.float32))
        merged = _merge_two(empty if merged is None else merged, ranking, k)
    if merged is None:
        raise DataError("nothing to merge: no shard gave a ranking")
    return merged
