"""Training sets from rows with negatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.groups import content_id
from ray_pipeline.data.training_rows import from_groups
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import GROUPS

NAN = float("nan")


def doc(name: str, score: float | None = None) -> dict[str, Any]:
    return {"id": name, "text": f"text of {name}", "teacher_score": score}


def row(
    query_id: str | None, query: str, positives: list[dict[str, Any]], negatives: list[dict[str, Any]], prompt: str | None = None
) -> dict[str, Any]:
    return {"query_id": query_id, "query": query, "positives": positives, "negatives": negatives, "prompt": prompt}


def table(*rows: dict[str, Any], chunk: int = 100) -> pa.Table:
    """The rows as GROUPS, in chunks of so many."""
    pieces = [pa.Table.from_pylist(list(rows[start : start + chunk]), schema=GROUPS) for start in range(0, len(rows), chunk)]
    return pa.concat_tables(pieces) if pieces else GROUPS.empty_table()


ROWS = (
    row("a", "A?", [doc("p", 0.9)], [doc("n", 0.5), doc("m", 0.25)]),
    row("b", "B?", [doc("n"), doc("q", 0.75)], []),
    row("c", "C?", [doc("p")], [doc("q"), doc("o")]),
)


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_documents_are_known_by_id(chunk: int) -> None:
    data = from_groups(table(*ROWS, chunk=chunk), "rows")
    assert data.query_ids.to_pylist() == ["a", "b", "c"]
    assert data.queries.to_pylist() == ["A?", "B?", "C?"]
    assert data.doc_ids.to_pylist() == ["p", "n", "q", "m", "o"]  # positives first
    assert data.documents.to_pylist() == [f"text of {name}" for name in "pnqmo"]
    assert (data.positives.indptr.tolist(), data.positives.docs.tolist()) == ([0, 1, 3, 4], [0, 1, 2, 0])
    assert (data.negatives.indptr.tolist(), data.negatives.docs.tolist()) == ([0, 2, 2, 4], [1, 3, 2, 4])
    assert data.positives.scores is not None
    assert data.negatives.scores is not None
    assert np.array_equal(data.positives.scores, np.array([0.9, NAN, 0.75, NAN], dtype=np.float32), equal_nan=True)
    assert np.array_equal(data.negatives.scores, np.array([0.5, 0.25, NAN, NAN], dtype=np.float32), equal_nan=True)
    assert data.groups.tolist() == [0, -1 + 2, 0]  # b's list {n, q} is a group of its own


def test_without_scores_there_are_none() -> None:
    data = from_groups(table(ROWS[2]), "rows")
    assert data.positives.scores is None
    assert data.negatives.scores is None


def test_rows_of_one_query_are_joined_and_a_query_without_an_id_is_known_by_its_text() -> None:
    rows = (row(None, "X?", [doc("p")], [doc("n", 0.5)]), row("y", "Y?", [doc("r")], []), row(None, "X?", [doc("q")], [doc("n", 0.25), doc("m")]))
    data = from_groups(table(*rows, chunk=2), "rows")
    assert data.query_ids.to_pylist() == [content_id("q", "X?"), "y"]
    names = data.doc_ids.to_pylist()
    assert [names[at] for at in data.positives.take(np.array([0])).docs] == ["p", "q"]
    negatives = data.negatives.take(np.array([0]))
    assert [names[at] for at in negatives.docs] == ["n", "m"]
    assert negatives.scores is not None
    assert negatives.scores[0] == 0.5  # the first known one


def test_a_prompt_is_a_task() -> None:
    rows = [row(name, f"{name}?", [doc("p")], [], prompt) for name, prompt in [("a", "find"), ("b", None), ("c", "find")]]
    data = from_groups(table(*rows), "rows", task="plain")
    assert [data.task_names[task] for task in data.tasks] == ["find", "plain", "find"]


def test_reasoning_beside_the_columns_is_kept() -> None:
    given = table(*ROWS).append_column("reasoning", pa.array(["ra", "rb", "rc"]))
    assert from_groups(given, "rows").join_reasoning("{query}{reasoning}").queries.to_pylist() == ["A?ra", "B?rb", "C?rc"]
    assert from_groups(table(*ROWS), "rows").reasoning is None


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sets(st.integers(0, 7), min_size=1), st.sets(st.integers(8, 12))), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_equals_dictionaries(rows: list[tuple[int, set[int], set[int]]], chunk: int) -> None:
    made = [row(f"q{q}", f"{q}?", [doc(f"d{d}") for d in sorted(p)], [doc(f"d{d}") for d in sorted(n)]) for q, p, n in rows]
    data = from_groups(table(*made, chunk=chunk), "rows")
    names = data.doc_ids.to_pylist()
    for lists, side in ((data.positives, 1), (data.negatives, 2)):
        expected: dict[str, set[str]] = {}
        for one in rows:
            expected.setdefault(f"q{one[0]}", set()).update(f"d{d}" for d in one[side])  # type: ignore[attr-defined]
        found = {name: {names[d] for d in lists.take(np.array([at])).docs} for at, name in enumerate(data.query_ids.to_pylist())}
        assert found == expected
        assert len(lists.docs) == sum(map(len, expected.values()))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ((), "rows: there is no query to train on"),
        ((ROWS[0], row("e", "E?", [], [doc("n")])), r"query 'e' has no positive \(1 of 2"),
        ((row("a", "A?", [doc("p")], [doc("n"), doc("p")]),), "document 'p' is both a positive and a negative of query 'a'"),
        ((row("a", "A?", [doc("p")], []), row("a", "A?", [doc("q")], [doc("p")])), "document 'p' is both a positive and a negative of query 'a'"),
        ((ROWS[0], row("e", "E?", [{"id": "p", "text": "another", "teacher_score": None}], [])), "document 'p' has two texts"),
        ((ROWS[0], row("e", "E?", [doc("x")], [{"id": "p", "text": "another", "teacher_score": None}])), "document 'p' has two texts"),
        ((ROWS[0], row("a", "another?", [doc("p")], [])), "query 'a' has two texts"),
        ((ROWS[0], row("a", "A?", [doc("p")], [], "find")), "query 'a' has two prompts"),
    ],
)
def test_bad_rows_are_named(rows: tuple[dict[str, Any], ...], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        from_groups(table(*rows), "rows")
