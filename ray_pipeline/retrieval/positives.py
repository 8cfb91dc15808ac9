"""Documents known to be relevant, as one ragged array over query rows, and their scores.

The scores of positives anchor the margins, so they must be measured as the candidates' were: from the same vectors
by the same definition (`positive_scores`), or in the same ranking (`scores_in_ranking`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.ranking import Ranking

_GATHER_BYTES: Final = 64 << 20  # of the two gathered blocks of vectors in float64


@dataclass(frozen=True)
class DocLists:
    """For query row q the document rows `docs[indptr[q]:indptr[q + 1]]`, in any order."""

    indptr: NDArray[np.int64]  # [Q + 1]
    docs: NDArray[np.int64]  # [P]
    scores: NDArray[np.float32] | None = None  # [P], one a document

    def __post_init__(self) -> None:
        if self.indptr.ndim != 1 or not len(self.indptr) or self.indptr[0] != 0 or self.indptr[-1] != len(self.docs):
            raise ValueError(f"indptr must run from 0 to the {len(self.docs)} documents")
        if self.scores is not None and self.scores.shape != self.docs.shape:
            raise ValueError(f"{self.scores.shape} scores for {self.docs.shape} documents")

    @classmethod
    def from_pairs(cls, queries: NDArray[np.int64], docs: NDArray[np.int64], query_count: int) -> DocLists:
        """The lists of (query row, document row) pairs given in any order; a repeated pair counts once."""
        pairs = np.unique(np.stack([queries, docs], axis=1), axis=0)
        indptr = np.zeros(query_count + 1, dtype=np.int64)
        np.cumsum(np.bincount(pairs[:, 0], minlength=query_count), out=indptr[1:])
        return cls(indptr, np.ascontiguousarray(pairs[:, 1]))

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.diff(self.indptr)

    def take(self, queries: NDArray[np.int64]) -> DocLists:
        """The lists of the given query rows, in that order."""
        counts = self.counts[queries]
        indptr = np.zeros(len(queries) + 1, dtype=np.int64)
        np.cumsum(counts, out=indptr[1:])
        at = np.arange(indptr[-1]) + np.repeat(self.indptr[queries] - indptr[:-1], counts)
        return DocLists(indptr, self.docs[at], None if self.scores is None else self.scores[at])

    def turns(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Turn j gives the query rows that have a j-th document, and where it lies in `docs`.

        A loop over the longest list instead of over queries: one or two turns on labelled pairs, and a total work of one
        step a document however uneven the lists are.
        """
        counts = self.counts
        for turn in range(int(counts.max(initial=0))):
            rows = np.flatnonzero(counts > turn)
            yield rows, self.indptr[rows] + turn

    def rows(self) -> NDArray[np.int64]:
        """[P] the query row of each document."""
        return np.repeat(np.arange(len(self.indptr) - 1), self.counts)


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
