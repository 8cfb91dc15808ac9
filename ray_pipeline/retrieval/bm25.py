"""Lexical search: BM25 through the bm25s package, the baseline of every dense retriever and another source of negatives.

The variant is Lucene's (Kamphuis et al., ECIR 2020): a document d scores for a query the sum over the query's tokens t of

    log(1 + (N - df(t) + 0.5) / (df(t) + 0.5)) * tf(t, d) / (tf(t, d) + k1 * (1 - b + b * |d| / mean |d|))

with Lucene's k1 = 1.2 and b = 0.75. A token that a query repeats counts each time. Older formulas multiply by the constant
k1 + 1, which changes no ranking. A document that shares no token with the query scores 0 and is not retrieved, so a list
may be shorter than k, and a query without a known token has an empty one.

Tokens are the runs of word characters of the normalised text (NFKC, casefolded): no stop words, no stemming, and one-letter
tokens stay, since "x" and "2" carry meaning in the texts retrieved here. Signs and punctuation only separate.
"""

from __future__ import annotations

import logging
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import bm25s
import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.text.normalise import normalise

K1: Final = 1.2
B: Final = 0.75
_TOKEN: Final = re.compile(r"\w+")

logging.getLogger("bm25s").setLevel(logging.WARNING)  # the package sets itself to DEBUG on import


def tokens(text: str) -> list[str]:
    """The tokens that BM25 sees of `text`."""
    return _TOKEN.findall(normalise(text))


@dataclass(frozen=True)
class BM25Index:
    """An inverted index with precomputed scores: 8 bytes for each different token of each document."""

    scorer: bm25s.BM25 | None  # None if no document holds a token
    vocabulary: dict[str, int]

    @classmethod
    def build(cls, texts: Iterable[str], k1: float = K1, b: float = B) -> BM25Index:
        """The index of documents 0, 1, 2... in the order given."""
        vocabulary: dict[str, int] = {}
        documents = [array("i", [vocabulary.setdefault(token, len(vocabulary)) for token in tokens(text)]) for text in texts]
        if not documents:
            raise DataError("BM25 was given no documents; the corpus is empty")
        if not vocabulary:
            return cls(None, vocabulary)
        scorer = bm25s.BM25(k1=k1, b=b, method="lucene", backend="numpy")
        scorer.index((documents, vocabulary), create_empty_token=False, show_progress=False)
        return cls(scorer, vocabulary)

    def search(self, texts: Iterable[str], k: int) -> Ranking:
        """The best k documents for each query text, query rows counting from 0; equal scores by document row descending."""
        found = [self._best(text, k) for text in texts]
        width = max((len(docs) for docs, _ in found), default=0)
        docs = np.full((len(found), width), PAD_DOC, dtype=np.int64)
        scores = np.full((len(found), width), -np.inf, dtype=np.float32)
        for row, (row_docs, row_scores) in enumerate(found):
            docs[row, : len(row_docs)] = row_docs
            scores[row, : len(row_docs)] = row_scores
        return Ranking(np.arange(len(found)), docs, scores)

    def _best(self, text: str, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        known = [self.vocabulary[token] for token in tokens(text) if token in self.vocabulary]
        if self.scorer is None or not known:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        scores = self.scorer.get_scores_from_ids(known)
        docs = np.flatnonzero(scores)
        if len(docs) > k:  # everything tied with the k-th stays until the order is settled
            docs = docs[scores[docs] >= np.partition(scores[docs], -k)[-k]]
        docs = docs[np.lexsort((-docs, -scores[docs]))][:k]
        return docs, scores[docs]
