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
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
class Statistics:
    """What a score depends on beside the document itself: of all documents, wherever they lie."""

    documents: int
    tokens: int
    frequency: Mapping[str, int]  # how many documents hold a term, for the terms that were asked about

    def __add__(self, other: Statistics) -> Statistics:
        terms = {**self.frequency, **other.frequency}
        both = {term: self.frequency.get(term, 0) + other.frequency.get(term, 0) for term in terms}
        return Statistics(self.documents + other.documents, self.tokens + other.tokens, both)


class BM25Index:
    """Parts of a corpus, in the order of their documents, searched as one."""

    def __init__(self, parts: Sequence[Postings], k1: float = K1, b: float = B) -> None:
        self._parts, self._k1, self._b = parts, k1, b
        self._firsts = np.cumsum([0, *map(len, parts)]).tolist()
        self.documents = int(self._firsts[-1])
        self._tokens = sum(int(part.lengths.sum(dtype=np.int64)) for part in parts)

    @classmethod
    def build(cls, texts: Iterable[str], k1: float = K1, b: float = B) -> BM25Index:
        """The index of documents 0, 1, 2... in the order given."""
        found = cls([Postings.build(texts)], k1, b)
        if not found.documents:
            raise DataError("BM25 was given no documents; the corpus is empty")
        return found

    @property
    def terms(self) -> int:
        """How many different terms the largest part holds."""
        return max((len(part.terms) for part in self._parts), default=0)

    def statistics(self, texts: Iterable[str]) -> Statistics:
        """Of these documents, for the terms of these texts."""
        asked = sorted({token for text in texts for token in tokens(text)})
        spread = np.zeros(len(asked), dtype=np.int64)
        for part in self._parts:
            spread += np.array([part.frequency(row) for row in part.rows_of(asked)], dtype=np.int64)
        return Statistics(self.documents, self._tokens, dict(zip(asked, spread.tolist(), strict=True)))

    def search(self, texts: Sequence[str], k: int, keep: NDArray[np.bool_] | None = None) -> Ranking:
        """The best k documents for each query text among those where `keep`, query rows counting from 0; equal scores by
        document row descending."""
        found = [_in_order(*one, k) for one in self.candidates(texts, k, keep)]
        width = max((len(docs) for docs, _ in found), default=0)
        docs = np.full((len(found), width), PAD_DOC, dtype=np.int64)
        scores = np.full((len(found), width), -np.inf, dtype=np.float32)
        for row, (row_docs, row_scores) in enumerate(found):
            docs[row, : len(row_docs)] = row_docs
            scores[row, : len(row_docs)] = row_scores
        return Ranking(np.arange(len(found)), docs, scores)

    def candidates(
        self, texts: Sequence[str], k: int, keep: NDArray[np.bool_] | None = None, known: Statistics | None = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """For each text the documents that can be among the best k, in no order: all that tie for the last place are there.
        `known`: of all documents, where these are some of them."""
        known = known or self.statistics(texts)
        for text in texts:
            scores = self._scores(text, known)
            if keep is not None:
                scores[~keep] = 0
            docs = np.flatnonzero(scores)
            if len(docs) > k:
                docs = docs[scores[docs] >= np.partition(scores[docs], -k)[-k]]
            yield docs, scores[docs]

    def _scores(self, text: str, known: Statistics) -> NDArray[np.float32]:
        """[documents] scores, 0 where no token is shared."""
        asked = Counter(tokens(text))
        spread = np.array([known.frequency.get(term, 0) for term in asked], dtype=np.int64)
        repeats = np.array(list(asked.values()), dtype=np.float64)
        weights = (np.log(1 + (known.documents - spread + 0.5) / (spread + 0.5)) * repeats).astype(np.float32)
        per_token = np.float32(self._k1 * self._b / max(known.tokens / max(known.documents, 1), 1e-9))
        fixed = np.float32(self._k1 * (1 - self._b))
        scores = np.zeros(self.documents, dtype=np.float32)
        for part, first in zip(self._parts, self._firsts, strict=False):
            inside = scores[first : first + len(part)]
            for row, weight in zip(part.rows_of(list(asked)), weights, strict=True):
                if row >= 0:
                    docs, counts = part.of_term(row)
                    inside[docs] += weight * (counts / (counts + fixed + per_token * part.lengths[docs])).astype(np.float32)
        return scores


def _in_order(docs: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    order = np.lexsort((-docs, -scores))[:k]
    return docs[order], scores[order]
