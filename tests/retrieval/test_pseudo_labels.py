"""Labels from a ranking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ray_pipeline.errors import DataError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.pseudo_labels import PSEUDO_LABELS, PseudoLabelSettings, pseudo_labels

INF = float("inf")


def ranked(rows: list[list[tuple[int, float]]], queries: list[int] | None = None, width: int = 2) -> Ranking:
    """Each row a query's (document, score) best first."""
    docs = np.full((len(rows), width), PAD_DOC, dtype=np.int64)
    scores = np.full((len(rows), width), -np.inf, dtype=np.float32)
    for at, row in enumerate(rows):
        docs[at, : len(row)] = [doc for doc, _ in row]
        scores[at, : len(row)] = [score for _, score in row]
    return Ranking(np.array(queries or range(len(rows)), dtype=np.int64), docs, scores)


def rules(**given: Any) -> PseudoLabelSettings:
    return PseudoLabelSettings(**{"min_score": 0.5, "min_gap": 0.125, "max_per_label": None, **given})


# query:        kept            low score        too near          kept (on the bounds)   nothing   one document
ROWS = [[(7, 0.9), (1, 0.5)], [(7, 0.25), (2, 0.0)], [(3, 0.75), (7, 0.7)], [(3, 0.5), (4, 0.375)], [], [(7, 0.625)]]


def test_bounds_and_counts_by_hand() -> None:
    found = pseudo_labels(ranked(ROWS), rules())
    assert (found.queries.tolist(), found.docs.tolist()) == ([0, 3, 5], [7, 3, 7])
    assert found.scores.tolist() == [np.float32(0.9), 0.5, 0.625]
    assert found.gaps.tolist() == pytest.approx([0.4, 0.125, INF])
    counts = {"considered": 6, "no_document": 1, "below_score": 1, "below_gap": 1, "over_label_cap": 0, "over_total_cap": 0, "kept": 3, "labels": 2}
    assert found.counts.to_json() == counts
    assert found.counts.summary() == (
        "3 of 6 unlabelled queries get one of 2 labels; left out: 1 below min_score, 1 below min_gap, 0 over max_per_label, 0 over max_total,"
        " 1 without a document"
    )


def test_caps_keep_the_highest_scores_and_the_lower_row_among_equals() -> None:
    rows = [[(1, score), (9, 0.0)] for score in (0.6, 0.8, 0.7, 0.8)] + [[(2, 0.75), (9, 0.0)]]
    capped = pseudo_labels(ranked(rows), rules(max_per_label=2))
    assert capped.queries.tolist() == [1, 3, 4]
    assert (capped.counts.over_label_cap, capped.counts.labels) == (2, 2)
    total = pseudo_labels(ranked(rows), rules(max_per_label=2, max_total=1))
    assert total.queries.tolist() == [1]
    assert (total.counts.over_label_cap, total.counts.over_total_cap, total.counts.kept, total.counts.labels) == (2, 2, 1, 1)


def test_the_order_of_the_ranking_does_not_count() -> None:
    rows = [[(at % 3, 0.5 + at % 4 / 8), (9, 0.0)] for at in range(12)]
    order = np.random.default_rng(0).permutation(12)
    one = pseudo_labels(ranked(rows), rules(max_per_label=2, max_total=5))
    other = pseudo_labels(ranked([rows[at] for at in order], order.tolist()), rules(max_per_label=2, max_total=5))
    assert one.queries.tolist() == other.queries.tolist()
    assert one.docs.tolist() == other.docs.tolist()


values = st.sampled_from([0.0, 0.125, 0.25, 0.375, 0.5, 0.625])
made_rows = st.lists(st.lists(st.tuples(st.integers(0, 3), values), max_size=3), max_size=15)
cap = st.none() | st.integers(1, 4)


@given(made_rows, values, values, cap, cap)
def test_equals_sorting_by_hand(
    rows: list[list[tuple[int, float]]], min_score: float, min_gap: float, per_label: int | None, total: int | None
) -> None:
    rows = [sorted(row, key=lambda one: -one[1]) for row in rows]
    found = pseudo_labels(ranked(rows, width=3), rules(min_score=min_score, min_gap=min_gap, max_per_label=per_label, max_total=total))
    sure = [
        (-row[0][1], query, row[0][0])
        for query, row in enumerate(rows)
        if row and row[0][1] >= min_score and (len(row) == 1 or row[0][1] - row[1][1] >= min_gap)
    ]
    kept: list[tuple[float, int, int]] = []
    for entry in sorted(sure):
        if per_label is None or sum(other[2] == entry[2] for other in kept) < per_label:
            kept.append(entry)
    kept = sorted(kept[:total], key=lambda entry: entry[1])
    assert found.queries.tolist() == [query for _, query, _ in kept]
    assert found.docs.tolist() == [doc for *_, doc in kept]
    assert found.scores.tolist() == [-score for score, *_ in kept]
    counts = found.counts.to_json()
    assert counts.pop("labels") == len({doc for *_, doc in kept})
    assert counts.pop("considered") == len(rows) == sum(counts.values())


def test_a_score_that_is_no_number_labels_nothing() -> None:
    found = pseudo_labels(ranked([[(1, float("nan")), (2, 0.5)], [(1, 0.9), (2, float("nan"))]]), rules())
    assert found.queries.tolist() == []
    assert (found.counts.below_score, found.counts.below_gap) == (1, 1)


def test_the_table() -> None:
    table = pseudo_labels(ranked(ROWS), rules()).to_table(
        pa.chunked_array([["a", "b"], ["c", "d", "e", "f"]]), pa.array([f"d{at}" for at in range(8)])
    )
    table.validate(full=True)
    assert table.schema == PSEUDO_LABELS
    assert table.select(["query_id", "doc_id"]).to_pylist() == [
        {"query_id": "a", "doc_id": "d7"},
        {"query_id": "d", "doc_id": "d3"},
        {"query_id": "f", "doc_id": "d7"},
    ]
    assert table.column("score").to_pylist() == [np.float32(0.9), 0.5, 0.625]
    assert table.column("gap").to_pylist()[1:] == [0.125, None]  # no second document, no gap


def test_no_queries_no_labels() -> None:
    found = pseudo_labels(ranked([]), rules(max_per_label=1, max_total=1))
    assert (found.counts.considered, found.counts.kept, found.counts.labels) == (0, 0, 0)


def test_a_ranking_one_deep_is_refused() -> None:
    with pytest.raises(DataError, match="the ranking is 1 deep: set search.k=2"):
        pseudo_labels(ranked([[(1, 0.9)]], width=1), rules())


def test_a_query_ranked_twice_is_refused() -> None:
    with pytest.raises(DataError, match="holds query row 4 twice"):
        pseudo_labels(ranked([[(1, 0.9)], [(1, 0.8)]], [4, 4]), rules())


@pytest.mark.parametrize("wrong", [{"min_gap": -0.1}, {"max_per_label": 0}, {"max_total": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PseudoLabelSettings(**wrong)
