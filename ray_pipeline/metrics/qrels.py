"""Relevance judgements as integer arrays, and the lookup of ranked documents in them.

Judgements are held as compressed rows: query q's judged documents are `docs[indptr[q]:indptr[q + 1]]`, ascending, with
their grades beside them. A document is positive when its grade is at least `min_grade`; a document without a judgement,
or with grade 0 or below, is not relevant (trec_eval's rule).

Lookup. A ranking has thousands of documents a query and a few positives, so nearly every lookup fails, and failing must
be cheap. Each query of a block marks its judged documents in a row of a small table at `doc mod slots` (a one-hash Bloom
filter that stays in the cache); only documents that fall on a marked slot are searched exactly, in the sorted keys
`query * width + doc`. Traps: a padded entry (-1) or a document beyond every judged one would make the key of another
query, so both are dropped before the exact search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError

LARGEST_DOC = 2**31 - 2  # document rows fit int32 with room for one past the last
_BLOCK_CELLS = 2**18  # entries of a ranking looked up at once: the temporaries of a block stay in the cache
_TABLE_CELLS = 2**21  # bytes of the marking table, for the same reason


@dataclass(frozen=True)
class Qrels:
    indptr: NDArray[np.int64]  # [Q + 1]
    docs: NDArray[np.int64]  # [nnz], ascending inside a query
    grades: NDArray[np.int32]  # [nnz]
    min_grade: int = 1  # the lowest grade that counts as positive

    def __post_init__(self) -> None:
        if self.min_grade < 1:
            raise DataError(f"min_grade is {self.min_grade}; it must be 1 or more, since grade 0 means judged not relevant")

    @classmethod
    def from_pairs(
        cls,
        query_rows: NDArray[np.integer],
        doc_rows: NDArray[np.integer],
        grades: NDArray[np.integer],
        queries: int,
        min_grade: int = 1,
    ) -> Qrels:
        """Judgements from three parallel arrays in any order; a repeated pair folds when its grades agree."""
        if not len(query_rows) == len(doc_rows) == len(grades):
            raise DataError(f"judgements: {len(query_rows)} query rows, {len(doc_rows)} document rows, {len(grades)} grades")
        _check_rows(query_rows, queries - 1, "query")
        _check_rows(doc_rows, LARGEST_DOC, "document")
        width = int(doc_rows.max(initial=-1)) + 1
        keys = query_rows.astype(np.int64) * width + doc_rows.astype(np.int64)
        order = np.argsort(keys, kind="stable")
        keys, sorted_grades = keys[order], grades[order].astype(np.int32)
        repeated = keys[1:] == keys[:-1]
        clash = np.flatnonzero(repeated & (sorted_grades[1:] != sorted_grades[:-1]))
        if len(clash):
            query, doc = divmod(int(keys[clash[0]]), width)
            first, second = sorted_grades[clash[0]], sorted_grades[clash[0] + 1]
            raise DataError(f"query row {query}, document row {doc}: judged {first} and {second}; keep one grade a pair")
        kept = np.ones(len(keys), dtype=bool)
        kept[1:] = ~repeated
        rows, docs = np.divmod(keys[kept], max(width, 1))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=queries))])
        return cls(indptr.astype(np.int64), docs, sorted_grades[kept], min_grade)

    def take(self, rows: NDArray[np.int64]) -> Qrels:
        """The judgements of some queries, numbered anew in the order given."""
        place = np.full(self.queries, -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        kept = place[self.query_rows] >= 0
        return Qrels.from_pairs(place[self.query_rows][kept], self.docs[kept], self.grades[kept], queries=len(rows), min_grade=self.min_grade)

    @property
    def queries(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def query_rows(self) -> NDArray[np.int64]:
        """[nnz] the query of each judgement."""
        return np.repeat(np.arange(self.queries), np.diff(self.indptr))

    @cached_property
    def positives(self) -> NDArray[np.int64]:
        """[Q] how many positives each query has."""
        return np.bincount(self.query_rows[self.grades >= self.min_grade], minlength=self.queries)

    @cached_property
    def width(self) -> int:
        """One more than the largest judged document."""
        return int(self.docs.max(initial=-1)) + 1

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """[nnz] `query * width + doc`, ascending."""
        return self.query_rows * self.width + self.docs


@dataclass(frozen=True)
class Hits:
    """The entries of a block of rankings that have a grade above 0, by row and then by rank."""

    rows: NDArray[np.int64]  # [H] row of the block
    ranks: NDArray[np.int64]  # [H] position in the list, from 0
    grades: NDArray[np.int32]  # [H]


def block_rows(qrels: Qrels, depth: int) -> int:
    """How many lists of `depth` entries to look up at once."""
    return max(1, min(_BLOCK_CELLS // max(depth, 1), _TABLE_CELLS // _slots(qrels)))


def find_hits(docs: NDArray[np.integer], query_rows: NDArray[np.int64], qrels: Qrels) -> Hits:
    """The relevant entries of `docs` [B, K], the lists of the queries `query_rows` [B]; -1 is padding.

    Meant for blocks of `block_rows` lists: the marking table has a row a list.
    """
    slots = _slots(qrels)
    table = np.zeros((len(docs), slots), dtype=bool)
    first, last = qrels.indptr[query_rows], qrels.indptr[query_rows + 1]
    sizes = last - first
    # positions first[0]..last[0]-1, first[1]..last[1]-1, ...: a running count, shifted to each query's first judgement
    judged = np.arange(sizes.sum()) + np.repeat(first - np.cumsum(sizes) + sizes, sizes)
    table[np.repeat(np.arange(len(docs)), sizes), qrels.docs[judged] & (slots - 1)] = True
    slot = np.bitwise_and(docs, slots - 1, dtype=np.int64)
    slot += np.arange(0, table.size, slots)[:, None]
    candidates = np.flatnonzero(table.ravel().take(slot.ravel()))
    found = docs.ravel()[candidates].astype(np.int64)
    real = (found >= 0) & (found < qrels.width)
    candidates, found = candidates[real], found[real]
    rows, ranks = np.divmod(candidates, max(docs.shape[1], 1))
    keys = query_rows[rows] * qrels.width + found
    places = np.minimum(np.searchsorted(qrels.keys, keys), max(len(qrels.keys) - 1, 0))
    grades = qrels.grades[places]
    hit = (qrels.keys[places] == keys) & (grades > 0)
    return Hits(rows[hit], ranks[hit], grades[hit])


def relevance(docs: NDArray[np.integer], query_rows: NDArray[np.int64], qrels: Qrels) -> NDArray[np.int32]:
    """[B, K] the grade of each entry; 0 where it is padding, unjudged or judged 0 or below."""
    grades = np.zeros(docs.shape, dtype=np.int32)
    step = block_rows(qrels, docs.shape[1])
    for at in range(0, len(docs), step):
        hits = find_hits(docs[at : at + step], query_rows[at : at + step], qrels)
        grades[hits.rows + at, hits.ranks] = hits.grades
    return grades


def _slots(qrels: Qrels) -> int:
    """A power of two, about 64 slots a judgement: then 1 in 64 of the other documents is searched in vain."""
    mean = len(qrels.docs) // max(qrels.queries, 1) + 1
    return int(min(max(1 << (64 * mean - 1).bit_length(), 1 << 8), 1 << 16))


def _check_rows(rows: NDArray[np.integer], largest: int, what: str) -> None:
    outside = np.flatnonzero((rows < 0) | (rows > largest))
    if len(outside):
        raise DataError(f"judgement {outside[0]}: {what} row {rows[outside[0]]} is outside 0 to {largest}")
