from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_pipeline.data.tuples import TupleCounts, read_tuple_groups, read_tuples, write_n_tuples, write_triplets
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import GROUPS


def rows_file(path: Path, *rows: dict[str, Any]) -> str:
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path / "rows.jsonl")


def texts(groups: pa.Table) -> list[tuple[str, list[str], list[str]]]:
    return [(row["query"], [x["text"] for x in row["positives"]], [x["text"] for x in row["negatives"]]) for row in groups.to_pylist()]


def made_groups(*rows: tuple[str, list[str], list[str]]) -> pa.Table:
    def items(names: list[str]) -> list[dict[str, Any]]:
        return [{"id": name.upper(), "text": name, "score": None, "teacher_score": None} for name in names]

    return pa.Table.from_pylist([{"query": query, "positives": items(good), "negatives": items(bad)} for query, good, bad in rows], GROUPS)


def test_pairs_triplets_and_tuples_by_column_order(tmp_path: Path) -> None:
    assert texts(read_tuple_groups(rows_file(tmp_path, {"question": "q", "answer": "a"}))) == [("q", ["a"], [])]
    assert texts(read_tuple_groups(rows_file(tmp_path, {"anchor": "q", "positive": "a", "negative": "n"}))) == [("q", ["a"], ["n"])]
    # The first row fixes the columns, whatever the order of keys in later ones.
    path = rows_file(
        tmp_path,
        {"query": "q", "answer": "a", "negative_1": "n", "negative_2": "m"},
        {"negative_2": "M", "negative_1": "N", "answer": "A", "query": "Q"},
    )
    assert texts(read_tuple_groups(path)) == [("q", ["a"], ["n", "m"]), ("Q", ["A"], ["N", "M"])]


def test_data_set(tmp_path: Path) -> None:
    pq.write_table(pa.table({"anchor": ["q", "q", "r"], "positive": ["a", "b", "a"], "negative": ["c", "a", "b"]}), tmp_path / "t.parquet")
    dataset = read_tuples(str(tmp_path / "t.parquet"))
    assert sorted(dataset.corpus.column("text").to_pylist()) == ["a", "b", "c"]
    assert dataset.queries.column("text").to_pylist() == ["q", "r"] and dataset.qrels.num_rows == 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"anchor": "q", "positive": "a"}, "2: the columns are anchor, positive; the first row has anchor, positive, negative"),
        ({"anchor": "q", "positive": "a", "negative": "n", "x": 1}, "2: the columns are anchor, positive, negative, x; the first row has"),
        ({"anchor": "q", "positive": None, "negative": "n"}, "2: field 'positive' is null"),
        ({"anchor": "q", "positive": "a", "negative": ["n"]}, "2: field 'negative' is a list, not text"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = rows_file(tmp_path, {"anchor": "q", "positive": "a", "negative": "n"}, row)
    with pytest.raises(DataError) as caught:
        read_tuples(path)
    assert str(caught.value).startswith(f"{path}:{said}")


@pytest.mark.parametrize("names", [("anchor",), ("anchor", "positive", "label"), ("sentence", "label"), ("anchor", "positive", "negative", "score")])
def test_other_columns_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl:1: .*(needed|neither anchor, positive nor negative)"):
        read_tuples(rows_file(tmp_path, dict.fromkeys(names, "x")))


def test_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl: the file holds no row"):
        read_tuples(rows_file(tmp_path))


def test_writers_count_what_is_short(tmp_path: Path) -> None:
    groups = made_groups(("q", ["a", "b"], ["m", "n", "o"]), ("r", ["c"], ["m"]), ("s", ["d"], []))
    assert write_triplets(groups, str(tmp_path / "t.jsonl"), 2) == TupleCounts(rows=5, short_groups=2)
    lines = [tuple(json.loads(line).values()) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert lines == [("q", "a", "m"), ("q", "a", "n"), ("q", "b", "m"), ("q", "b", "n"), ("r", "c", "m")]
    assert write_n_tuples(groups, str(tmp_path / "n.jsonl"), 2) == TupleCounts(rows=2, short_groups=2)
    lines = [tuple(json.loads(line).items()) for line in (tmp_path / "n.jsonl").read_text().splitlines()]
    assert lines[1] == (("anchor", "q"), ("positive", "b"), ("negative_1", "m"), ("negative_2", "n"))


def test_parquet_tuples_are_what_sentence_transformers_reads(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    write_n_tuples(made_groups(("q", ["a"], ["m", "n"])), str(tmp_path / "n.parquet"), 2)
    loaded = datasets.Dataset.from_parquet(str(tmp_path / "n.parquet"), cache_dir=str(tmp_path / "cache"))
    assert loaded.column_names == ["anchor", "positive", "negative_1", "negative_2"] and loaded[0]["negative_2"] == "n"
