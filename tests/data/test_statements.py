from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.statements import read_statements, same_group_pairs
from ray_pipeline.errors import DataError


@given(st.lists(st.integers(0, 4), max_size=30))
def test_pairs_equal_the_slow_ones(groups: list[int]) -> None:
    left, right = same_group_pairs(np.array(groups, dtype=np.int64))
    slow = [(i, j) for i in range(len(groups)) for j in range(len(groups)) if i != j and groups[i] == groups[j]]
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == slow


def rows_file(path: Path, *rows: dict[str, Any]) -> str:
    (path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path / "s.jsonl")


def statement(name: str, paper: object, **more: Any) -> dict[str, Any]:
    return {"id": name, "paper_id": paper, "kind": "lemma", "text": f"text of {name}"} | more


def test_positives_are_the_same_papers(tmp_path: Path) -> None:
    dataset = read_statements(rows_file(tmp_path, statement("z", 1), statement("y", 2), statement("x", 1), statement("w", 1), statement("v", 3)))
    assert dataset.doc_ids.to_pylist() == ["v", "w", "x", "y", "z"] and dataset.query_ids.to_pylist() == ["z", "y", "x", "w", "v"]
    assert dataset.queries.column("group_id").to_pylist() == ["1", "2", "1", "1", "3"]
    pairs = {(row["query_id"], row["doc_id"]) for row in dataset.qrels.to_pylist()}
    assert pairs == {(a, b) for a in "zxw" for b in "zxw" if a != b}
    assert dataset.report.queries_without_positives == 2


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    path = rows_file(tmp_path, {"sid": "a", "paper": "p", "body": "x"}, {"sid": "b", "paper": "p", "body": "y"})
    dataset = read_statements(path, columns={"id": "sid", "paper_id": "paper", "text": "body"})
    assert dataset.qrels.num_rows == 2 and dataset.corpus.column("text").to_pylist() == ["x", "y"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "b", "text": "x"}, ":2: field 'paper_id' is missing"),
        (statement("b", None), ":2: field 'paper_id' is null"),
        (statement("b", "p", text=None), ":2: field 'text' is null"),
        (statement("b", "p", kind=["lemma"]), ":2: field 'kind' is a list, not text"),
        (statement("a", "q"), ":2: doc_id 'a' was used before, at "),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = rows_file(tmp_path, statement("a", "p"), row)
    with pytest.raises(DataError) as caught:
        read_statements(path)
    assert str(caught.value).startswith(path + said)


def test_no_statements_is_an_empty_corpus(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the corpus holds no document"):
        read_statements(rows_file(tmp_path))
