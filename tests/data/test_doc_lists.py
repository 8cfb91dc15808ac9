"""Ragged lists of documents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.doc_lists import DocLists

LISTS = DocLists(np.array([0, 2, 2, 5]), np.array([4, 1, 0, 3, 4]), np.array([0.5, 0.25, 1.0, 0.75, 0.125], dtype=np.float32))
NAN = float("nan")


def test_from_pairs_sorts_and_counts_a_pair_once() -> None:
    lists = DocLists.from_pairs(np.array([2, 0, 2, 2]), np.array([7, 1, 3, 7]), 4)
    assert (lists.indptr.tolist(), lists.docs.tolist()) == ([0, 1, 1, 3, 3], [1, 3, 7])


def test_take() -> None:
    taken = LISTS.take(np.array([2, 1, 0, 2]))
    assert taken.indptr.tolist() == [0, 3, 3, 5, 8]
    assert taken.docs.tolist() == [0, 3, 4, 4, 1, 0, 3, 4]
    assert taken.scores is not None
    assert taken.scores.tolist() == [1.0, 0.75, 0.125, 0.5, 0.25, 1.0, 0.75, 0.125]


@pytest.mark.parametrize("indptr", [[1, 5], [0, 4], [], [0, 6]])
def test_lists_that_do_not_fit_are_refused(indptr: list[int]) -> None:
    with pytest.raises(ValueError, match="indptr"):
        DocLists(np.array(indptr, dtype=np.int64), LISTS.docs)


def test_of_a_repeated_pair_the_first_known_score_counts() -> None:
    scores = np.array([NAN, 0.5, 0.25, NAN, NAN], dtype=np.float32)
    lists = DocLists.from_pairs(np.array([1, 1, 1, 0, 1]), np.array([7, 7, 7, 2, 3]), 3, scores)
    assert (lists.indptr.tolist(), lists.docs.tolist()) == ([0, 1, 3, 3], [2, 3, 7])
    assert lists.scores is not None
    assert np.array_equal(lists.scores, np.array([NAN, NAN, 0.5], dtype=np.float32), equal_nan=True)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.sampled_from([NAN, 0.25, 0.5]))))
def test_from_pairs_equals_a_dictionary(pairs: list[tuple[int, int, float]]) -> None:
    known: dict[tuple[int, int], float] = {}
    for query, doc, score in pairs:
        if np.isnan(known.get((query, doc), NAN)):
            known[query, doc] = score
    columns = [np.array([pair[at] for pair in pairs], dtype=np.int64) for at in (0, 1)]
    lists = DocLists.from_pairs(*columns, 5, np.array([score for *_, score in pairs], dtype=np.float32))
    assert list(zip(lists.rows().tolist(), lists.docs.tolist(), strict=True)) == sorted(known)
    assert lists.scores is not None
    assert np.array_equal(lists.scores, np.array([known[pair] for pair in sorted(known)], dtype=np.float32), equal_nan=True)
    assert lists.counts.tolist() == [sum(query == at for query, _ in known) for at in range(5)]


def test_empty_lists() -> None:
    assert (DocLists.empty(3).indptr.tolist(), len(DocLists.empty(3).docs)) == ([0, 0, 0, 0], 0)
