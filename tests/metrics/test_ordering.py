from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.ordering import ordered_docs

ROWS = np.array([7, 8, 9])


def order(docs: list[list[int]], scores: list[list[float]] | None, dtype: type = np.float32) -> list[list[int]]:
    given_scores = None if scores is None else np.array(scores, dtype=dtype)
    return ordered_docs(np.array(docs), given_scores, ROWS[: len(docs)]).tolist()


def test_score_descending_then_document_descending() -> None:
    assert order([[1, 2, 3, 4]], [[0.5, 2.0, 0.5, -1.0]]) == [[2, 3, 1, 4]]


def test_a_list_in_order_is_returned_as_it_is() -> None:
    docs = np.array([[5, 3, 1, -1]])
    assert ordered_docs(docs, np.array([[2.0, 1.0, 1.0, -np.inf]], dtype=np.float32), ROWS[:1]) is docs


def test_scores_compare_in_single_precision_as_trec_eval_does() -> None:
    assert order([[1, 2]], [[1.0 + 1e-12, 1.0]], np.float64) == [[2, 1]]
    assert order([[1, 2]], [[1.0 + 1e-6, 1.0]], np.float64) == [[1, 2]]


def test_nan_comes_after_every_number_and_padding_after_nan() -> None:
    nan, inf = math.nan, math.inf
    assert order([[1, 2, 3, 4, -1]], [[nan, -inf, nan, 1.0, 9.0]]) == [[4, 2, 3, 1, -1]]
    assert order([[-1, 5]], [[nan, nan]]) == [[5, -1]]
    assert order([[5, 4]], [[nan, nan]]) == [[5, 4]]
    assert order([[5]], [[nan]]) == [[5]]


def test_negative_zero_ties_with_zero() -> None:
    assert order([[1, 2], [2, 1]], [[0.0, -0.0], [-0.0, 0.0]]) == [[2, 1], [2, 1]]
    assert order([[1, 3, 2]], [[0.0, -0.0, 0.0]]) == [[3, 2, 1]]


def test_padding_with_a_high_score_still_goes_last() -> None:
    assert order([[-1, 4, 6]], [[5.0, 1.0, 2.0]]) == [[6, 4, -1]]


def test_a_document_listed_twice_names_query_and_document() -> None:
    with pytest.raises(DataError, match="query row 8: document row 4 is listed twice"):
        order([[1, 2, 3], [4, 5, 4]], None)


def test_padding_before_a_document_needs_scores() -> None:
    with pytest.raises(DataError, match="query row 8: padding before a document"):
        order([[1, 2, -1], [3, -1, 4]], None)
    assert order([[1, 2, -1]], None) == [[1, 2, -1]]


@pytest.mark.parametrize("doc", [-2, 2**31 - 1])
def test_a_document_row_out_of_range_is_refused(doc: int) -> None:
    with pytest.raises(DataError, match="query row 8: a document row lies outside"):
        order([[1, 2], [3, doc]], None)


def test_an_empty_block() -> None:
    assert ordered_docs(np.zeros((0, 3), dtype=np.int64), np.zeros((0, 3), dtype=np.float32), ROWS[:0]).shape == (0, 3)
    assert ordered_docs(np.zeros((2, 0), dtype=np.int64), np.zeros((2, 0), dtype=np.float32), ROWS[:2]).shape == (2, 0)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_block_equals_pythons_sort(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 8))
    score = st.one_of(st.sampled_from([0.0, -0.0, 0.5, -0.5, math.inf, -math.inf, math.nan]), st.floats(width=32))
    lines, scores = [], []
    for _ in range(data.draw(st.integers(1, 3))):
        real = data.draw(st.lists(st.integers(0, 2**31 - 2), max_size=width, unique=True))
        line = data.draw(st.permutations(real + [-1] * (width - len(real))))
        lines.append(line)
        scores.append([data.draw(score) for _ in line])

    def rank(item: tuple[int, float]) -> tuple[bool, bool, float, int]:
        doc, value = item
        return (doc == -1, math.isnan(value), 0.0 if math.isnan(value) else -value, -doc)

    expected = [[doc for doc, _ in sorted(zip(line, values, strict=True), key=rank)] for line, values in zip(lines, scores, strict=True)]
    assert order(lines, scores) == expected
