from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data import columns
from ray_pipeline.data.columns import rows_of, take_rows, titled_text
from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.errors import DataError


def build(
    corpus: list[tuple[str, str | None]] | None = None,
    queries: list[tuple[str, str]] | None = None,
    qrels: list[tuple[str, str, int]] | None = None,
    **more: Any,
) -> RetrievalDataset:
    docs = [("b", "two"), ("a", "one")] if corpus is None else corpus
    asked = [("q2", "?"), ("q1", "!")] if queries is None else queries
    judged = [("q1", "a", 1)] if qrels is None else qrels
    tables = (
        pa.table({"doc_id": pa.array([x for x, _ in docs], pa.string()), "text": pa.array([x for _, x in docs], pa.string())}),
        pa.table({"query_id": pa.array([x for x, _ in asked], pa.string()), "text": pa.array([x for _, x in asked], pa.string())}),
        pa.table(
            {
                name: pa.array([row[i] for row in judged], pa.string() if i < 2 else pa.int32())
                for i, name in enumerate(("query_id", "doc_id", "grade"))
            }
        ),
    )
    return build_dataset(*tables, "here", **more)


def test_corpus_is_sorted_and_queries_are_not() -> None:
    dataset = build()
    assert dataset.doc_ids.to_pylist() == ["a", "b"] and dataset.query_ids.to_pylist() == ["q2", "q1"]
    assert dataset.corpus.column("text").to_pylist() == ["one", "two"]
    rows = dataset.qrels_rows()
    assert [part.tolist() for part in rows] == [[1], [0], [1]]
    assert [part.dtype for part in rows] == [np.int64, np.int64, np.int32]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3), min_size=1, unique=True))
def test_order_is_that_of_utf8_bytes(ids: list[str]) -> None:
    dataset = build([(name, "x") for name in ids], [], [])
    assert dataset.doc_ids.to_pylist() == sorted(ids, key=lambda name: name.encode())


def test_report_counts() -> None:
    dataset = build(
        [("a", ""), ("b", " \t\u3000"), ("c", "x"), ("d", "x"), ("e", "x")],
        [("q1", "\n"), ("q2", "x"), ("q3", "x")],
        [("q1", "a", 1), ("q1", "a", 1), ("q2", "b", 0), ("q1", "a", 1)],
        replaced_surrogates=7,
    )
    assert dataset.report.to_json() == {
        "documents": 5,
        "queries": 3,
        "judgements": 2,
        "empty_documents": 2,
        "empty_queries": 1,
        "repeated_texts": 2,
        "repeated_judgements": 2,
        "queries_without_positives": 2,
        "replaced_surrogates": 7,
    }
    assert dataset.qrels.to_pylist() == [{"query_id": "q1", "doc_id": "a", "grade": 1}, {"query_id": "q2", "doc_id": "b", "grade": 0}]


def test_the_first_of_many_equal_judgements_is_kept() -> None:
    rng = np.random.default_rng(0)
    pairs = [(f"q{query}", f"d{doc}", 1) for query, doc in zip(rng.integers(0, 20, 2_000), rng.integers(0, 20, 2_000), strict=True)]
    dataset = build([(f"d{i}", "x") for i in range(20)], [(f"q{i}", "x") for i in range(20)], pairs)
    assert [(row["query_id"], row["doc_id"], 1) for row in dataset.qrels.to_pylist()] == list(dict.fromkeys(pairs))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"corpus": []}, "here: the corpus holds no document"),
        ({"corpus": [("a", "x"), ("b", None)]}, "here: column 'text' is null in row 1"),
        ({"corpus": [("a", "x"), ("", "x")]}, "here: row 1: the doc_id is empty"),
        (
            {"corpus": [("b", "1"), ("a", "2"), ("c", "3"), ("a", "4"), ("b", "5")]},
            "here: row 3: doc_id 'a' was used before, at here: row 1 (2 repeats",
        ),
        ({"queries": [("q1", "x"), ("q1", "x")]}, "here: row 1: query_id 'q1' was used before, at here: row 0"),
        ({"qrels": [("q1", "a", 1), ("q9", "a", 1), ("q8", "a", 1)]}, "here: row 1: judgement of the query 'q9', which does not exist (2 of 3"),
        ({"qrels": [("q1", "a", 1), ("q1", "z", 1)]}, "here: row 1: judgement of the document 'z', which does not exist (1 of 2"),
        (
            {"qrels": [("q2", "a", 1), ("q1", "a", 1), ("q2", "a", 2)]},
            "here: row 2: query 'q2' and document 'a' have grade 2 here and 1 at here: row 0",
        ),
    ],
)
def test_faults_are_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        build(**arguments)
    assert str(caught.value).startswith(said)


def test_split_has_three_values() -> None:
    queries = pa.table({"query_id": ["q", "r"], "text": ["x", "y"], "split": ["train", "test"]})
    none = pa.table({"query_id": pa.array([], pa.string()), "doc_id": pa.array([], pa.string()), "grade": pa.array([], pa.int32())})
    with pytest.raises(DataError, match=r"here: row 1: split 'test' is neither 'train', 'eval' nor null"):
        build_dataset(pa.table({"doc_id": ["a"], "text": ["x"]}), queries, none, "here")


def test_with_queries_takes_only_the_same_queries() -> None:
    dataset = build()
    split = dataset.with_queries(dataset.queries.set_column(4, "split", pa.array(["train", None])))
    assert split.queries.column("split").to_pylist() == ["train", None]
    with pytest.raises(ValueError, match="queries differ"):
        dataset.with_queries(dataset.queries.slice(1))


def test_empty_title_is_no_title_and_titles_are_joined() -> None:
    corpus = pa.table({"doc_id": ["a", "b", "c"], "text": ["x", "y", "z"], "title": ["", "T", None]})
    dataset = build_dataset(corpus, build().queries, build(qrels=[]).qrels, "here")
    assert dataset.corpus.column("title").to_pylist() == [None, "T", None]
    assert titled_text(dataset.corpus).to_pylist() == ["x", "T y", "z"]
    assert titled_text(dataset.corpus, "\n").to_pylist() == ["x", "T\ny", "z"]


def test_rows_of_unknown_is_minus_one() -> None:
    known = pa.chunked_array([["a"], ["b", "c"]])
    assert rows_of(pa.chunked_array([["c"], ["z", "a"]]), known).tolist() == [2, -1, 0]
    assert rows_of(pa.array(["b", "z"]), known.combine_chunks()).tolist() == [1, -1]


def test_take_rows_of_large_text_equals_plain_take(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"t": pa.chunked_array([["a", None], ["c", "dd", "é"]]), "n": pa.chunked_array([[1, 2], [3, 4, 5]])})
    rows = np.array([4, 0, 1, 1, 3])
    plain = table.take(pa.array(rows)).to_pylist()
    assert take_rows(table, rows).to_pylist() == plain
    monkeypatch.setattr(columns, "_JOINABLE_BYTES", 0)
    monkeypatch.setattr(columns, "_TAKEN_ROWS", 2)
    taken = take_rows(table, rows)
    assert taken.to_pylist() == plain and taken.schema == table.schema and taken.column("t").num_chunks == 3
    assert take_rows(table, rows[:0]).num_rows == 0
