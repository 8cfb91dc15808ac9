"""A training set: what it refuses, and what its methods keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.errors import DataError
from ray_pipeline.text.normalise import text_hash

MakeSet = Callable[..., TrainingSet]


def test_an_empty_set_is_refused(made_set: MakeSet) -> None:
    with pytest.raises(DataError, match="made: there is no query to train on"):
        made_set([])


def test_a_query_without_a_positive_is_named_and_counted(made_set: MakeSet) -> None:
    with pytest.raises(DataError, match=r"query 'q1' has no positive \(2 of 4 queries have none\)"):
        made_set([[0], [], [1], []])


def test_a_positive_among_the_negatives_is_named(made_set: MakeSet) -> None:
    with pytest.raises(DataError, match=r"document 'd3' is both a positive and a negative of query 'q1' \(1 such pairs\)"):
        made_set([[0], [3, 4]], [[3], [2, 3]])


def test_a_query_that_is_its_own_positive_is_named(made_set: MakeSet) -> None:
    same = {"query_ids": ["a", "b"], "doc_ids": ["a", "b"], "query_texts": ["A", "B"], "doc_texts": ["A", "B"]}
    with pytest.raises(DataError, match="query 'b' is its own positive"):
        made_set([[1], [0, 1]], **same)
    assert made_set([[1], [0]], **same).own.tolist() == [0, 1]
    assert made_set([[1], [1]], **{**same, "doc_texts": ["A", "other"]}).own.tolist() == [0, -1]  # one id in two name spaces


def test_its_groups_are_label_groups(made_set: MakeSet) -> None:
    data = made_set([[2], [1], [2]], [[0], [], [1]])
    assert (data.groups.tolist(), data.doc_groups.tolist()) == ([2, 1, 2], [-1, 1, 2])


def test_hashes_are_those_of_the_texts(made_set: MakeSet) -> None:
    data = made_set([[0], [1]], query_texts=["Same  Text", "x"], doc_texts=["same text", "y"])
    assert data.query_hashes[0] == data.doc_hashes[0]
    assert data.query_hashes.dtype == data.doc_hashes.dtype == np.int64
    assert data.query_hashes.view(np.uint64).tolist() == text_hash(data.queries).tolist()
    assert data.weights.tolist() == [1.0, 1.0]


def test_subset_takes_rows_and_keeps_documents(made_set: MakeSet) -> None:
    data = made_set(
        [[0], [1, 2], [0]],
        [[3], [], [1, 2]],
        reasoning=["r0", "r1", "r2"],
        tasks=[0, 1, 0],
        positive_scores=[[0.5], [0.25, 0.75], [1.0]],
    )
    part = data.subset(np.array([2, 1]))
    assert len(part) == 2
    assert part.query_ids.to_pylist() == ["q2", "q1"]
    assert part.queries.to_pylist() == ["query 2", "query 1"]
    assert part.reasoning is not None
    assert part.reasoning.to_pylist() == ["r2", "r1"]
    assert part.tasks.tolist() == [0, 1]
    assert part.positives.docs.tolist() == [0, 1, 2]
    assert part.positives.scores is not None
    assert part.positives.scores.tolist() == [1.0, 0.25, 0.75]
    assert (part.negatives.indptr.tolist(), part.negatives.docs.tolist()) == ([0, 2, 2], [1, 2])
    assert part.groups.tolist() == data.groups[[2, 1]].tolist()
    assert part.query_hashes.tolist() == data.query_hashes[[2, 1]].tolist()
    assert part.doc_ids.equals(data.doc_ids)
    with pytest.raises(DataError, match="no query is left"):
        data.subset(np.array([], dtype=np.int64))


def test_joined_reasoning_changes_text_and_hash(made_set: MakeSet) -> None:
    data = made_set([[0], [1]], reasoning=["because", "hence"])
    joined = data.join_reasoning("{query} / {reasoning}")
    assert joined.queries.to_pylist() == ["query 0 / because", "query 1 / hence"]
    assert joined.query_hashes.view(np.uint64).tolist() == text_hash(joined.queries).tolist()
    assert data.queries.to_pylist() == ["query 0", "query 1"]
    with pytest.raises(DataError, match="none of the 2 queries has a chain of thought"):
        joined.join_reasoning()  # once is enough


def test_reasoning_that_is_missing_is_refused(made_set: MakeSet) -> None:
    with pytest.raises(DataError, match=r"query 'q1' has no chain of thought \(1 of 2"):
        made_set([[0], [1]], reasoning=["because", None]).join_reasoning()
    assert made_set([[0], [1]], reasoning=[None, None]).reasoning is None


def test_teacher_scores_are_there_or_not(made_set: MakeSet) -> None:
    assert not made_set([[0]], [[1]]).has_teacher_scores
    assert made_set([[0]], [[1]], positive_scores=[[0.5]]).has_teacher_scores
    assert made_set([[0]], [[1]], negative_scores=[[0.5]]).has_teacher_scores


def test_shuffled_labels_keep_queries_and_label_counts(made_set: MakeSet) -> None:
    positives = [[at % 6] for at in range(60)]
    data = made_set(positives, [[6 + at % 3, 9] for at in range(60)], positive_scores=[[0.5]] * 60, negative_scores=[[0.25, 0.125]] * 60)
    control = data.shuffled_labels(seed=1)
    assert control.queries.equals(data.queries)
    assert (control.positives.docs != data.positives.docs).all()
    assert np.bincount(control.positives.docs).tolist() == [10] * 6
    assert control.groups.tolist() == control.positives.docs.tolist()
    assert control.positives.scores is None
    assert control.negatives.scores is not None
    assert control.negatives.docs.tolist() == data.negatives.docs.tolist()


def test_a_negative_that_becomes_a_positive_is_dropped(made_set: MakeSet) -> None:
    data = made_set([[0], [1]], [[1, 2], [2]], negative_scores=[[0.5, 0.25], [0.125]])
    control = data.shuffled_labels(seed=0)  # the only way: the two labels change places
    assert control.positives.docs.tolist() == [1, 0]
    assert (control.negatives.indptr.tolist(), control.negatives.docs.tolist()) == ([0, 1, 2], [2, 2])
    assert control.negatives.scores is not None
    assert control.negatives.scores.tolist() == [0.25, 0.125]


def test_a_query_is_taught_where_two_scored_documents_can_be_drawn_together(made_set: MakeSet) -> None:
    nan = float("nan")
    data = made_set(
        [[0], [0, 1], [0], [0], [0]],
        [[2], [], [2, 3], [2], [2, 3]],
        positive_scores=[[1.0], [1.0, 2.0], [nan], [1.0], [nan]],
        negative_scores=[[0.5], [], [0.5, 0.25], [nan], [nan, 0.5]],
    )
    # q1 has two scored positives, of which a batch draws one; q3 and q4 one scored document each
    assert data.taught().tolist() == [True, False, True, False, False]
    assert not made_set([[0]], [[1, 2]]).taught().any()  # no scores at all
    assert made_set([[0]], [[1, 2]], negative_scores=[[0.0, 0.0]]).taught().all()
