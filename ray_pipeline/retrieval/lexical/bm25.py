"""BM25, the baseline of every dense retriever, the other half of hybrid search, and another source of negatives.

The variant is Lucene's (Kamphuis et al., ECIR 2020): a document d scores for a query the sum over the query's tokens t of

    log(1 + (N - df(t) + 0.5) / (df(t) + 0.5)) * tf(t, d) / (tf(t, d) + k1 * (1 - b + b * |d| / mean |d|))

with Lucene's k1 = 1.2 and b = 0.75. A token that a query repeats counts each time. Older formulas multiply by the constant
k1 + 1, which changes no ranking. A document that shares no token with the query scores 0 and is not retrieved, so a list
may be shorter than k, and a query without a known token has an empty one.

N, df and the mean length are those of all parts together, so a corpus in parts ranks as it does in one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.lexical.postings import Postings, tokens

K1: Final = 1.2
B: Final = 0.75


@dataclass(frozen=True)
class _Part:
    """A part and the weight of its documents' lengths: k1 * (1 - b + b * |d| / mean |d|)."""

    postings: Postings
    weights: NDArray[np.float32]
    first: int


class BM25Index:
    """Parts of a corpus, in the order of their documents, searched as one."""

    def __init__(self, parts: Sequence[Postings], k1: float = K1, b: float = B) -> None:
        self.documents = sum(map(len, parts))
        if not self.documents:
            raise DataError("BM25 was given no documents; the corpus is empty")
        mean = max(sum(int(part.lengths.sum(dtype=np.int64)) for part in parts) / self.documents, 1e-9)
        firsts = np.cumsum([0, *map(len, parts)])
        self._parts = [
            _Part(part, (k1 * (1 - b + b * part.lengths / mean)).astype(np.float32), int(first)) for part, first in zip(parts, firsts, strict=False)
        ]

    @classmethod
    def build(cls, texts: Iterable[str], k1: float = K1, b: float = B) -> BM25Index:
        """The index of documents 0, 1, 2... in the order given."""
        return cls([Postings.build(texts)], k1, b)

    @property
    def terms(self) -> int:
        """How many different terms the largest part holds."""
        return max(len(part.postings.terms) for part in self._parts)

    def search(self, texts: Iterable[str], k: int, keep: NDArray[np.bool_] | None = None) -> Ranking:
        """The best k documents for each query text among those where `keep`, query rows counting from 0; equal scores by
        document row descending."""
        found = [self._best(text, k, keep) for text in texts]
        width = max((len(docs) for docs, _ in found), default=0)
        docs = np.full((len(found), width), PAD_DOC, dtype=np.int64)
        scores = np.full((len(found), width), -np.inf, dtype=np.float32)
        for row, (row_docs, row_scores) in enumerate(found):
            docs[row, : len(row_docs)] = row_docs
            scores[row, : len(row_docs)] = row_scores
        return Ranking(np.arange(len(found)), docs, scores)

    def _best(self, text: str, k: int, keep: NDArray[np.bool_] | None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        asked = Counter(tokens(text))
        rows = [part.postings.rows_of(list(asked)) for part in self._parts]
        held = np.array([[part.postings.frequency(row) for row in mine] for part, mine in zip(self._parts, rows, strict=True)], dtype=np.int64)
        spread = held.sum(axis=0)
        idf = np.log(1 + (self.documents - spread + 0.5) / (spread + 0.5)) * np.array(list(asked.values()), dtype=np.float64)
        scores = np.zeros(self.documents, dtype=np.float32)
        for part, mine in zip(self._parts, rows, strict=True):
            inside = scores[part.first : part.first + len(part.postings)]
            for row, weight in zip(mine, idf.astype(np.float32), strict=True):
                if row >= 0:
                    docs, counts = part.postings.of_term(row)
                    inside[docs] += weight * (counts / (counts + part.weights[docs]))
        if keep is not None:
            scores[~keep] = 0
        return _first(scores, k)


def _first(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    docs = np.flatnonzero(scores)
    if len(docs) > k:  # everything tied with the k-th stays until the order is settled
        docs = docs[scores[docs] >= np.partition(scores[docs], -k)[-k]]
    docs = docs[np.lexsort((-docs, -scores[docs]))][:k]
    return docs, scores[docs]
