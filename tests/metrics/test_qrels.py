from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.qrels import LARGEST_DOC, Qrels, block_rows, relevance


def make_qrels(pairs: list[tuple[int, int, int]], queries: int, min_grade: int = 1) -> Qrels:
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 3)
    return Qrels.from_pairs(columns[:, 0], columns[:, 1], columns[:, 2], queries, min_grade)


def test_pairs_are_sorted_and_an_agreeing_repeat_folds() -> None:
    qrels = make_qrels([(2, 5, 1), (0, 9, 2), (0, 3, 0), (2, 5, 1)], queries=4)
    assert qrels.indptr.tolist() == [0, 2, 2, 3, 3]
    assert qrels.docs.tolist() == [3, 9, 5]
    assert qrels.grades.tolist() == [0, 2, 1]
    assert qrels.positives.tolist() == [1, 0, 1, 0]
    assert qrels.grades.dtype == np.int32 and qrels.docs.dtype == np.int64


def test_min_grade_raises_the_bar_for_a_positive() -> None:
    assert make_qrels([(0, 1, 1), (0, 2, 2), (1, 1, 1)], queries=2, min_grade=2).positives.tolist() == [1, 0]


def test_two_grades_for_one_pair_name_the_pair() -> None:
    with pytest.raises(DataError, match=r"query row 1, document row 7: judged 1 and 2"):
        make_qrels([(0, 7, 2), (1, 7, 1), (1, 7, 2)], queries=2)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ((3, 0, 1), "query row 3"),
        ((-1, 0, 1), "query row -1"),
        ((0, -1, 1), "document row -1"),
        ((0, LARGEST_DOC + 1, 1), "document row"),
    ],
)
def test_rows_outside_their_range_are_refused(pair: tuple[int, int, int], words: str) -> None:
    with pytest.raises(DataError, match=f"judgement 1: {words}"):
        make_qrels([(0, 0, 1), pair], queries=3)


def test_columns_of_different_length_and_a_min_grade_of_zero_are_refused() -> None:
    with pytest.raises(DataError, match="2 query rows, 1 document rows"):
        Qrels.from_pairs(np.array([0, 0]), np.array([1]), np.array([1]), 1)
    with pytest.raises(DataError, match="min_grade is 0"):
        make_qrels([(0, 0, 1)], queries=1, min_grade=0)


def test_no_judgements_at_all() -> None:
    qrels = make_qrels([], queries=2)
    assert qrels.positives.tolist() == [0, 0]
    assert relevance(np.array([[0, 1], [2, -1]]), np.array([0, 1]), qrels).tolist() == [[0, 0], [0, 0]]


def test_relevance_by_hand() -> None:
    qrels = make_qrels([(0, 4, 2), (0, 6, -1), (1, 0, 1), (2, 6, 3)], queries=3)
    docs = np.array([[4, 6, 0], [6, 4, -1]])
    assert relevance(docs, np.array([0, 2]), qrels).tolist() == [[2, 0, 0], [3, 0, 0]]


def test_padding_and_far_documents_do_not_become_the_neighbours_judgement() -> None:
    # the width is 512: (query 1, padding) has the key of (query 0, doc 511), (query 0, doc 767) that of (query 1, doc 255),
    # and all four fall on slot 255 of a table of 256
    qrels = make_qrels([(0, 511, 1), (1, 255, 1)], queries=2)
    assert relevance(np.array([[767], [-1]]), np.array([0, 1]), qrels).tolist() == [[0], [0]]


def test_lists_longer_than_one_block_and_narrow_integers() -> None:
    rng = np.random.default_rng(5)
    queries, depth, documents = 700, 900, 30_000
    docs = rng.integers(0, documents, (queries, depth))
    rows = rng.permutation(queries)
    pairs = np.unique(np.stack([np.repeat(np.arange(queries), 30), rng.integers(0, documents, 30 * queries)], axis=1), axis=0)
    qrels = Qrels.from_pairs(pairs[:, 0], pairs[:, 1], np.ones(len(pairs), dtype=np.int8), queries)
    assert block_rows(qrels, depth) < queries  # otherwise this test shows nothing
    expected = np.stack([np.isin(line, pairs[pairs[:, 0] == row, 1]) for line, row in zip(docs, rows, strict=True)])
    assert expected.any()
    assert (relevance(docs, rows, qrels) == expected).all()
    assert (relevance(docs.astype(np.int16), rows, qrels) == expected).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_relevance_equals_a_dictionary(data: st.DataObject) -> None:
    queries = data.draw(st.integers(1, 4))
    document = st.one_of(st.integers(0, 6), st.integers(0, 2000))
    judged = data.draw(st.dictionaries(st.tuples(st.integers(0, queries - 1), document), st.integers(-1, 3), max_size=12))
    rows = data.draw(st.lists(st.integers(0, queries - 1), min_size=1, max_size=4))
    docs = data.draw(st.lists(st.lists(st.one_of(document, st.just(-1)), min_size=5, max_size=5), min_size=len(rows), max_size=len(rows)))
    qrels = make_qrels([(query, doc, grade) for (query, doc), grade in judged.items()], queries)
    expected = [[max(judged.get((row, doc), 0), 0) for doc in line] for row, line in zip(rows, docs, strict=True)]
    assert relevance(np.array(docs), np.array(rows), qrels).tolist() == expected
