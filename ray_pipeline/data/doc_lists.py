"""A list of documents for each query, as one ragged array: positives, negatives, what the qrels call relevant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DocLists:
    """For query row q the document rows `docs[indptr[q]:indptr[q + 1]]`, in any order."""

    indptr: NDArray[np.int64]  # [Q + 1]
    docs: NDArray[np.int64]  # [P]
    scores: NDArray[np.float32] | None = None  # [P], one a document, NaN where unknown

    def __post_init__(self) -> None:
        if self.indptr.ndim != 1 or not len(self.indptr) or self.indptr[0] != 0 or self.indptr[-1] != len(self.docs):
            raise ValueError(f"indptr must run from 0 to the {len(self.docs)} documents")
        if self.scores is not None and self.scores.shape != self.docs.shape:
            raise ValueError(f"{self.scores.shape} scores for {self.docs.shape} documents")

    @classmethod
    def from_pairs(cls, queries: NDArray[np.int64], docs: NDArray[np.int64], query_count: int, scores: NDArray[np.float32] | None = None) -> DocLists:
        """The lists of (query row, document row) pairs given in any order, each by document row; a repeated pair counts once,
        with the first of its scores that is known."""
        unknown = () if scores is None else (np.isnan(scores),)
        order = np.lexsort((*unknown, docs, queries))  # stable: of equals the first given comes first
        queries, docs = queries[order], docs[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = (queries[1:] != queries[:-1]) | (docs[1:] != docs[:-1])
        indptr = np.zeros(query_count + 1, dtype=np.int64)
        np.cumsum(np.bincount(queries[new], minlength=query_count), out=indptr[1:])
        return cls(indptr, docs[new], None if scores is None else scores[order][new])

    @classmethod
    def empty(cls, query_count: int) -> DocLists:
        return cls(np.zeros(query_count + 1, dtype=np.int64), np.empty(0, dtype=np.int64))

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
