from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.evaluation_set import EvaluationSet, require_same_set
from ray_pipeline.metrics.qrels import Qrels


def make_set(
    query_ids: tuple[str, ...] = ("q1", "q2"),
    doc_ids: tuple[str, ...] = ("a", "b", "c"),
    docs: tuple[int, ...] = (0, 1),
    grade: int = 1,
    min_grade: int = 1,
) -> EvaluationSet:
    qrels = Qrels.from_pairs(np.array([0, 1]), np.array(docs), np.array([1, grade]), len(query_ids), min_grade)
    return EvaluationSet.of(query_ids, doc_ids, qrels)


def test_the_same_content_has_one_fingerprint() -> None:
    first = make_set()
    assert first == make_set() and len(first.fingerprint) == 64
    assert (first.queries, first.documents, first.judgements) == (2, 3, 2)
    assert require_same_set(first, make_set()) == first


@pytest.mark.parametrize(
    "change",
    [
        {"query_ids": ("q1", "q3")},
        {"query_ids": ("q", "1q2")},
        {"doc_ids": ("a", "b", "d")},
        {"doc_ids": ("a", "b", "c", "one more distractor")},
        {"docs": (0, 2)},
        {"grade": 2},
        {"min_grade": 2, "grade": 1},
    ],
)
def test_any_difference_is_another_set_and_refused(change: dict[str, object]) -> None:
    other = make_set(**change)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="different evaluation sets cannot be compared"):
        require_same_set(make_set(), other)


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(DataError, match="does not say which evaluation set"):
        require_same_set(make_set(), None)


def test_ids_that_do_not_fit_the_judgements_are_refused() -> None:
    qrels = Qrels.from_pairs(np.array([0]), np.array([5]), np.array([1]), 1)
    with pytest.raises(DataError, match="do not belong to 1 query ids and 5 document ids"):
        EvaluationSet.of(["q"], list("abcde"), qrels)
    with pytest.raises(DataError, match="do not belong to 2 query ids"):
        EvaluationSet.of(["q", "r"], list("abcdef"), qrels)


def test_many_ids_and_lone_surrogates() -> None:
    qrels = Qrels.from_pairs(np.array([0]), np.array([0]), np.array([1]), 1)
    ids = [f"document {row:07}" for row in range(80_000)]  # more than one hashed block
    whole = EvaluationSet.of(["\ud800"], ids, qrels)
    assert whole == EvaluationSet.of(["\ud800"], iter(ids), qrels)
    assert whole.fingerprint != EvaluationSet.of(["\ud800"], [*ids[:-1], "other"], qrels).fingerprint
