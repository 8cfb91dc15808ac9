"""A part of the index, opened: candidates from faiss, scored again from the stored vectors.

An index only ever misses documents; where vectors are kept it never gives one a wrong score, and equal texts tie exactly, whichever
part or kind of index they lie in. Under a filter that leaves few rows these are searched exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.index.faiss_index import FaissIndex
from ray_pipeline.retrieval.mining.positives import positive_scores

EXACT_ROWS: Final = 20_000  # so many vectors are compared with a query in about the time an index takes

Stored = NDArray[np.float32] | NDArray[np.float16]


@dataclass(frozen=True)
class IndexPart:
    """The documents `first`, `first + 1`, ... of the corpus."""

    index: FaissIndex
    vectors: Stored | None  # [rows, dim], mapped from disk
    first: int
    oversample: float

    def __len__(self) -> int:
        return len(self.index)

    def search(self, queries: NDArray[np.float32], k: int, keep: NDArray[np.bool_] | None = None) -> Ranking:
        """The best k documents of each query, query rows counting from 0, among the rows of this part where `keep`."""
        if keep is not None:
            kept = int(keep.sum())
            if kept == len(self):
                keep = None
            elif self.vectors is not None and (kept <= EXACT_ROWS or not self.index.takes_filters):
                return self._exactly(queries, k, np.flatnonzero(keep))
        wanted = k if self.vectors is None else round(k * self.oversample)
        scores, found = self.index.search(queries, max(1, min(wanted, len(self))), keep)
        if self.vectors is not None:
            scores = self._scored(queries, found)
        order = np.lexsort((-found, -scores), axis=1)[:, :k]
        best = np.take_along_axis(found, order, axis=1)
        return self._ranking(best, np.take_along_axis(scores, order, axis=1))

    def _exactly(self, queries: NDArray[np.float32], k: int, rows: NDArray[np.int64]) -> Ranking:
        assert self.vectors is not None
        if not len(rows):
            return self._ranking(np.full((len(queries), k), PAD_DOC, np.int64), np.full((len(queries), k), -np.inf, np.float32))
        found = search(queries, self.vectors[rows], k)
        return self._ranking(np.where(found.docs == PAD_DOC, PAD_DOC, rows[found.docs]), found.scores)

    def _scored(self, queries: NDArray[np.float32], found: NDArray[np.int64]) -> NDArray[np.float32]:
        assert self.vectors is not None
        held = found != PAD_DOC
        scores = np.full(found.shape, -np.inf, dtype=np.float32)
        indptr = np.concatenate([[0], np.cumsum(held.sum(axis=1))]).astype(np.int64)
        scores[held] = positive_scores(queries, self.vectors, DocLists(indptr, found[held]))
        return scores

    def _ranking(self, docs: NDArray[np.int64], scores: NDArray[np.float32]) -> Ranking:
        rows = np.arange(len(docs), dtype=np.int64)
        return Ranking(rows, np.where(docs == PAD_DOC, PAD_DOC, docs + self.first), scores)
