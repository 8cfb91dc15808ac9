"""Each filter on a case small enough to check by eye."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.retrieval.mining import filters

DOCS = np.array([[7, 3, 5, 1], [1, 3, 9, 0]])
LISTS = DocLists(np.array([0, 2, 3]), np.array([5, 7, 9]))  # query 0: 5 and 7; query 1: 9


def scores(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


def test_listed() -> None:
    assert filters.listed(DOCS, LISTS).tolist() == [[True, False, True, False], [False, False, True, False]]


def test_listed_with_empty_and_uneven_lists() -> None:
    lists = DocLists(np.array([0, 0, 3]), np.array([0, 1, 3]))
    assert filters.listed(DOCS, lists).tolist() == [[False] * 4, [True, True, False, True]]


def test_same_text_finds_a_positive_under_another_id() -> None:
    hashes = np.arange(10, dtype=np.uint64) + 100
    hashes[3] = hashes[5]  # document 3 reads like document 5, a positive of query 0 only
    dropped = filters.same_text(hashes, hashes[DOCS], LISTS)
    assert dropped.tolist() == [[True, True, True, False], [False, False, True, False]]


def test_query_text() -> None:
    hashes = np.array([[1, 2], [2, 1]], dtype=np.uint64)
    assert filters.query_text(hashes, np.array([1, 1], dtype=np.uint64)).tolist() == [[True, False], [False, True]]


def test_absolute_margin_keeps_what_lies_on_the_bound() -> None:
    assert filters.absolute_margin(scores(0.8, 0.75, 0.5), np.array([1.0]), 0.25).tolist() == [[True, False, False]]


def test_relative_margin() -> None:
    assert filters.relative_margin(scores(0.96, 0.94), np.array([1.0]), 0.05).tolist() == [[True, False]]


def test_relative_margin_of_a_negative_positive_score_lies_below_it() -> None:
    # -0.2 - 0.2 * 0.05 = -0.21; the wrong form -0.2 * 0.95 = -0.19 would keep -0.195 and -0.205
    assert filters.relative_margin(scores(-0.195, -0.205, -0.215), np.array([-0.2]), 0.05).tolist() == [[True, True, False]]


def test_bounds() -> None:
    assert filters.below(scores(0.5, 0.25, 0.125), 0.25).tolist() == [[False, False, True]]
    assert filters.above(scores(0.5, 0.25, 0.125), 0.25).tolist() == [[True, False, False]]


@pytest.mark.parametrize("drop", [lambda s: filters.below(s, -9), lambda s: filters.above(s, 9)])
def test_nan_never_passes_a_bound(drop) -> None:
    assert drop(scores(np.nan, 0.0)).tolist() == [[True, False]]


def test_nan_never_passes_a_margin() -> None:
    assert filters.absolute_margin(scores(np.nan), np.array([1.0]), 0.1).all()
    assert filters.relative_margin(scores(0.0), np.array([np.nan]), 0.1).all()


def test_repeated_text_keeps_the_first_survivor() -> None:
    hashes = np.array([[4, 5, 4, 4, 6], [4, 5, 6, 7, 5], [1, 2, 3, 4, 5]], dtype=np.uint64)
    alive = np.array([[False, True, True, True, True], [True] * 5, [True] * 5])
    expected = np.zeros((3, 5), dtype=bool)
    expected[0, 3] = expected[1, 4] = True
    assert np.array_equal(filters.repeated_text(hashes, alive), expected)


def test_lowest_scores_anchor_on_the_weakest_positive() -> None:
    lists = DocLists(LISTS.indptr, LISTS.docs, np.array([0.9, 0.4, 0.7], dtype=np.float32))
    assert filters.lowest_scores(lists).tolist() == pytest.approx([0.4, 0.7])
    with pytest.raises(ValueError, match="no scores"):
        filters.lowest_scores(LISTS)
