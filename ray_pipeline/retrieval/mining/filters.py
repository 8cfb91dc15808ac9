"""One function a filter: each says which candidates of a block may not become negatives.

A block is [Q, W]: W candidates for each of Q queries. Every function returns a boolean [Q, W] that is True where the
candidate is to be dropped; none knows of the others, of sampling or of the audit. `REASONS` is the order in which mining
applies them, and a candidate is counted under the first that drops it.

Traps: the relative margin is `pos - |pos| * m`, because `pos * (1 - m)` *raises* the bound of a negative positive score;
with several positives the bound comes from the lowest; a comparison is written so that NaN is dropped, never kept.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists

Dropped = NDArray[np.bool_]
_Value = TypeVar("_Value", np.int64, np.uint64)

REASONS: Final = (
    "outside_range",  # the ranking holds it, the range does not
    "positive",  # one of the query's positives, by id
    "qrels",  # judged relevant for the query, though not among its positives
    "same_text",  # the text of a positive or of a relevant document under another id
    "query_text",  # the query's own text
    "never_positive",  # no query here has it for a positive
    "margin_absolute",
    "margin_relative",
    "min_score",
    "max_score",
    "teacher",
    "repeated_text",  # the text of a candidate that survived and stands nearer to the front of the range
)


def listed(docs: NDArray[np.int64], lists: DocLists) -> Dropped:
    """Candidates that stand in their query's list: its positives, or what the qrels call relevant."""
    return _among(docs, lists, lists.docs)


def same_text(doc_hashes: NDArray[np.uint64], candidate_hashes: NDArray[np.uint64], lists: DocLists) -> Dropped:
    """Candidates with the normalised text of a document in their query's list, under any id. `doc_hashes` has one a document."""
    return _among(candidate_hashes, lists, doc_hashes[lists.docs])


def query_text(candidate_hashes: NDArray[np.uint64], query_hashes: NDArray[np.uint64]) -> Dropped:
    """Candidates that are the query itself."""
    return np.equal(candidate_hashes, query_hashes[:, None])


def never_positive(docs: NDArray[np.int64], known: NDArray[np.int64]) -> Dropped:
    """Candidates that are not among the positives of all queries."""
    return np.isin(docs, known, invert=True)


def absolute_margin(scores: NDArray[np.float32], anchors: NDArray[np.float64], margin: float) -> Dropped:
    """Candidates that score above anchor - margin. An anchor is the lowest score of the query's positives."""
    return ~(scores <= (anchors - margin)[:, None])


def relative_margin(scores: NDArray[np.float32], anchors: NDArray[np.float64], margin: float) -> Dropped:
    """Candidates that score above anchor - |anchor| * margin."""
    return ~(scores <= (anchors - np.abs(anchors) * margin)[:, None])


def below(scores: NDArray[np.float32], bound: float) -> Dropped:
    return ~(scores >= bound)


def above(scores: NDArray[np.float32], bound: float) -> Dropped:
    return ~(scores <= bound)


def repeated_text(candidate_hashes: NDArray[np.uint64], alive: Dropped) -> Dropped:
    """Survivors whose text a survivor to their left already has: one text is one negative."""
    dropped = np.zeros_like(alive)
    in_order = np.sort(np.where(alive, candidate_hashes, np.uint64(0)), axis=1)  # 0 stands for "dead" and repeats itself
    rows = np.flatnonzero(((in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] != 0)).any(axis=1))
    at, columns = np.nonzero(alive[rows])
    hashes = candidate_hashes[rows[at], columns]
    order = np.lexsort((columns, hashes, at))
    at, columns, hashes = at[order], columns[order], hashes[order]
    again = (at[1:] == at[:-1]) & (hashes[1:] == hashes[:-1])
    dropped[rows[at[1:][again]], columns[1:][again]] = True
    return dropped


def lowest_scores(positives: DocLists) -> NDArray[np.float64]:
    """[Q] the anchor of each query: the lowest score among its positives. Every list must hold one."""
    if positives.scores is None:
        raise ValueError("positives carry no scores")
    return np.minimum.reduceat(positives.scores.astype(np.float64), positives.indptr[:-1])


def _among(values: NDArray[_Value], lists: DocLists, members: NDArray[_Value]) -> Dropped:
    """[Q, W] whether a value equals any of its row's members; `members` is aligned with `lists.docs`."""
    found = np.zeros(values.shape, dtype=bool)
    for rows, at in lists.turns():
        if len(rows) == len(values):
            found |= values == members[at, None]
        else:
            found[rows] |= values[rows] == members[at, None]
    return found
