from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ray_pipeline.data.flag_embedding import read_flag_embedding, read_flag_groups, write_flag_embedding
from ray_pipeline.data.groups import content_id, dataset_of_groups
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import GROUPS


def rows_file(path: Path, *rows: dict[str, Any]) -> str:
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path / "rows.jsonl")


def test_rows_become_groups_and_lines_again(tmp_path: Path) -> None:
    row = {"query": "q", "pos": ["a"], "neg": ["b", "c"], "pos_scores": [0.5], "neg_scores": [0.0, None], "prompt": "p", "neg_id": ["B", 3]}
    path = rows_file(tmp_path, row, {"query": "r", "pos": "single"})
    groups = read_flag_groups(path)
    assert groups.schema.equals(GROUPS)
    first, second = groups.to_pylist()
    assert first == {
        "query_id": None,
        "query": "q",
        "positives": [{"id": content_id("t", "a"), "text": "a", "score": None, "teacher_score": 0.5}],
        "negatives": [{"id": "B", "text": "b", "score": None, "teacher_score": 0.0}, {"id": "3", "text": "c", "score": None, "teacher_score": None}],
        "prompt": "p",
    }
    assert [item["text"] for item in second["positives"]] == ["single"] and second["negatives"] == []
    write_flag_embedding(groups, str(tmp_path / "out.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines[0] == row | {"pos_id": [content_id("t", "a")], "neg_id": ["B", "3"]}
    assert set(lines[1]) == {"query", "pos", "pos_id", "neg", "neg_id"}


def test_content_id_is_pinned() -> None:
    # Other runs and files name the same text by this; a change would split a document in two.
    assert content_id("t", "a") == "t-ca978112ca1bbdca" and content_id("q", "é") == "q-4a99557e4033c353"


def test_data_set_folds_texts_and_queries(tmp_path: Path) -> None:
    path = rows_file(
        tmp_path,
        {"query": "q", "pos": ["a", "b"], "neg": ["c"]},
        {"query": "r", "pos": ["a"], "neg": ["b"]},
        {"query": "q", "pos": ["b", "d"]},
        {"query": "nothing", "pos": []},
    )
    dataset = read_flag_embedding(path)
    assert sorted(dataset.corpus.column("text").to_pylist()) == ["a", "b", "c", "d"]
    assert dataset.queries.column("text").to_pylist() == ["q", "r", "nothing"]
    named = dict(zip(dataset.query_ids.to_pylist(), ["q", "r", "nothing"], strict=True))
    texts = dict(zip(dataset.doc_ids.to_pylist(), dataset.corpus.column("text").to_pylist(), strict=True))
    judged = [(named[row["query_id"]], texts[row["doc_id"]], row["grade"]) for row in dataset.qrels.to_pylist()]
    assert judged == [("q", "a", 1), ("q", "b", 1), ("r", "a", 1), ("q", "d", 1)]
    assert dataset.report.repeated_judgements == 1 and dataset.report.queries_without_positives == 1


def test_given_ids_are_kept_over_many_batches(tmp_path: Path) -> None:
    count = 20_000
    rows = [
        {
            "query_id": f"q{i}",
            "query": f"query {i}",
            "pos": [f"p{i}"],
            "pos_id": [f"d{i}"],
            "neg": [f"p{(i + 7) % count}"],
            "neg_id": [f"d{(i + 7) % count}"],
        }
        for i in range(count)
    ]
    dataset = read_flag_embedding(rows_file(tmp_path, *rows))
    texts = dict(zip(dataset.doc_ids.to_pylist(), dataset.corpus.column("text").to_pylist(), strict=True))
    assert texts == {f"d{i}": f"p{i}" for i in range(count)}
    assert dataset.qrels.to_pylist() == [{"query_id": f"q{i}", "doc_id": f"d{i}", "grade": 1} for i in range(count)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"query": "q", "pos": ["a", "b"], "pos_scores": [1.0]}, "pos_scores has 1 entries and pos has 2"),
        ({"query": "q", "pos": ["a"], "neg": ["b"], "neg_id": ["x", "y"]}, "neg_id has 2 entries and neg has 1"),
        ({"query": "q", "pos": [], "pos_scores": [1.0]}, "pos_scores has 1 entries and pos has 0"),
        ({"pos": ["a"]}, "field 'query' is missing; the fields are pos"),
        ({"query": None, "pos": ["a"]}, "field 'query' is null"),
        ({"query": "q", "pos": ["a", None]}, "pos[1] is null, not text"),
        ({"query": "q", "pos": {"a": 1}}, "pos[0] is an object, not text"),
        ({"query": "q", "pos": ["a"], "pos_scores": ["high"]}, "pos_scores[0] is text, not a number"),
        ({"query": "q", "pos": ["a"], "pos_id": [None]}, "field 'pos_id[0]' is null; an id is text"),
        ({"query": "q", "pos": ["a"], "prompt": 1}, "field 'prompt' is the number 1, not text"),
        ({"query": "q", "pos": ["other"], "pos_id": ["A"]}, "doc_id 'A' has another text at "),
        ({"query": "q", "pos": ["x"], "neg": ["other"], "neg_id": ["A"]}, "doc_id 'A' has another text at "),
        ({"query": "q", "query_id": "Q", "pos": ["x"]}, "query_id 'Q' has another query at "),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = rows_file(tmp_path, {"query": "good", "query_id": "Q", "pos": ["a"], "pos_id": ["A"]}, {"query": "fine", "pos": ["b"]}, row)
    with pytest.raises(DataError) as caught:
        read_flag_embedding(path)
    assert str(caught.value).startswith(f"{path}:3: {said}")
    if "another" in said:
        assert f"{path}:1;" in str(caught.value)


def test_a_group_id_belongs_to_its_query() -> None:
    groups = pa.table(
        {
            "query_id": ["a", "a", "b", "b"],
            "query": ["x", "x", "y", "y"],
            "positives": pa.array([[{"id": "d", "text": "t", "score": None}]] * 4, GROUPS.field("positives").type),
            "negatives": pa.array([[]] * 4, GROUPS.field("negatives").type),
            "group_id": [None, None, "g", None],
        }
    )
    with pytest.raises(DataError, match=r"made: row 3: query_id 'b' has another group_id at made: row 2"):
        dataset_of_groups(groups, "made")
    assert dataset_of_groups(groups.slice(0, 3), "made").queries.column("group_id").to_pylist() == [None, "g"]


def test_surrogates_are_counted(tmp_path: Path) -> None:
    path = rows_file(tmp_path, {"query": "\ud800", "pos": ["a\udfffb"]})
    dataset = read_flag_embedding(path)
    assert dataset.report.replaced_surrogates == 2 and dataset.corpus.column("text").to_pylist() == ["a\ufffdb"]
