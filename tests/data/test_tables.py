from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_pipeline.data.groups import content_id
from ray_pipeline.data.tables import read_table, table_rows
from ray_pipeline.errors import DataError

ROWS = [{"question": f"q{i}", "answer": [f"a{i}", f"b{i}"] if i % 2 else [f"a{i}"], "paper": i // 2, "n": i} for i in range(5)]
COLUMNS = {"query": "question", "positive": "answer", "group_id": "paper"}


def as_json_lines(path: Path) -> str:
    (path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(path / "t.jsonl")


def as_parquet(path: Path) -> str:
    pq.write_table(pa.Table.from_pylist(ROWS), path / "t.parquet", row_group_size=2)
    return str(path / "t.parquet")


def as_shards(path: Path) -> str:
    (path / "shards").mkdir()
    pq.write_table(pa.Table.from_pylist(ROWS[:2]), path / "shards" / "000.parquet")
    (path / "shards" / "001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[2:]))
    (path / "shards" / "README.md").write_text("not rows")
    return str(path / "shards")


def as_saved(path: Path) -> str:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset.from_list(ROWS).save_to_disk(str(path / "saved"), num_shards=2)
    return str(path / "saved")


def as_saved_selection(path: Path) -> str:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset.from_list(ROWS[::-1]).select([4, 3, 2, 1, 0]).save_to_disk(str(path / "saved"))
    return str(path / "saved")


@pytest.mark.parametrize("write", [as_json_lines, as_parquet, as_shards, as_saved, as_saved_selection])
def test_columns_by_name(tmp_path: Path, write: Callable[[Path], str]) -> None:
    path = write(tmp_path)
    assert [row.fields for row in table_rows(path)] == ROWS
    dataset = read_table(path, columns=COLUMNS)
    assert dataset.queries.column("text").to_pylist() == [f"q{i}" for i in range(5)]
    assert dataset.queries.column("group_id").to_pylist() == ["0", "0", "1", "1", "2"]
    assert dataset.query_ids[0].as_py() == content_id("q", "q0")
    texts = dict(zip(dataset.doc_ids.to_pylist(), dataset.corpus.column("text").to_pylist(), strict=True))
    assert [texts[name] for name in dataset.qrels.column("doc_id").to_pylist()] == ["a0", "a1", "b1", "a2", "a3", "b3", "a4"]


def test_reading_needs_no_datasets_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_saved(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert len(list(table_rows(path))) == 5


def test_a_dict_of_splits_needs_a_choice(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    parts = {"train": datasets.Dataset.from_list(ROWS[:3]), "test": datasets.Dataset.from_list(ROWS[3:])}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "two"))
    datasets.DatasetDict(train=parts["train"]).save_to_disk(str(tmp_path / "one"))
    assert read_table(str(tmp_path / "two"), columns=COLUMNS, split="test").queries.num_rows == 2
    assert read_table(str(tmp_path / "one"), columns=COLUMNS).queries.num_rows == 3
    with pytest.raises(DataError, match="holds the splits train, test; choose one with `split`"):
        read_table(str(tmp_path / "two"), columns=COLUMNS)
    with pytest.raises(DataError, match="holds the splits train, test; there is no 'dev'"):
        read_table(str(tmp_path / "two"), columns=COLUMNS, split="dev")
    with pytest.raises(DataError, match="holds one data set, so there is no split 'test'"):
        read_table(str(tmp_path / "two" / "train"), columns=COLUMNS, split="test")


def test_all_columns(tmp_path: Path) -> None:
    row = {"query": "q", "query_id": 4, "positive": "p", "positive_id": "P", "negative": ["n", "m"], "negative_id": ["N", "M"]}
    (tmp_path / "t.jsonl").write_text(json.dumps(row | {"group_id": "g", "reasoning": "r", "split": "train"}) + "\n")
    dataset = read_table(str(tmp_path / "t.jsonl"))
    assert dataset.queries.to_pylist() == [{"query_id": "4", "text": "q", "group_id": "g", "reasoning": "r", "split": "train"}]
    assert dataset.doc_ids.to_pylist() == ["M", "N", "P"] and dataset.qrels.to_pylist() == [{"query_id": "4", "doc_id": "P", "grade": 1}]


def test_a_null_positive_is_an_unlabelled_query(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"query": "q", "positive": "a"}\n{"query": "r", "positive": null}\n')
    assert read_table(str(tmp_path / "t.jsonl")).report.queries_without_positives == 1


@pytest.mark.parametrize(
    ("second", "columns", "said"),
    [
        ({"q": "x"}, {}, ":2: field 'p' is missing; the fields are q"),
        ({"p": "x"}, {}, ":2: field 'q' is missing; the fields are p"),
        ({"q": 3, "p": "x"}, {}, ":2: field 'q' is the number 3, not text"),
        ({"q": "x", "p": "y"}, {"group_id": "paper"}, ": no row has the column 'paper' that columns.group_id names; the first row has q, p"),
        ({"q": "x", "p": "y"}, {"querry": "q"}, "columns.querry: there is no such column here; there are query, positive"),
    ],
)
def test_bad_rows_and_columns_are_named(tmp_path: Path, second: dict[str, Any], columns: dict[str, str], said: str) -> None:
    (tmp_path / "t.jsonl").write_text('{"q": "x", "p": "y"}\n' + json.dumps(second) + "\n")
    with pytest.raises(DataError) as caught:
        read_table(str(tmp_path / "t.jsonl"), columns={"query": "q", "positive": "p"} | columns)
    assert said in str(caught.value)


def test_rows_of_parquet_count_from_one(tmp_path: Path) -> None:
    pq.write_table(pa.table({"query": ["a", "b", None], "positive": ["x", "y", "z"]}), tmp_path / "t.parquet", row_group_size=2)
    with pytest.raises(DataError, match=r"t\.parquet:3: field 'query' is null"):
        read_table(str(tmp_path / "t.parquet"))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    saved = Path(as_saved(tmp_path))
    first = next(saved.glob("data-00000*.arrow"))
    first.write_bytes(first.read_bytes()[:200])
    with pytest.raises(DataError, match=r"data-00000-of-00002\.arrow: this Arrow stream cannot be read"):
        list(table_rows(str(saved)))
    (saved / "state.json").write_text('{"_data_files": [3]}')
    with pytest.raises(DataError, match=r"state\.json: no list of _data_files"):
        list(table_rows(str(saved)))
    (saved / "state.json").write_text('{"_data_files": [], "_indices_data_files": [{"filename": "x"}]}')
    with pytest.raises(DataError, match="chosen by an index file"):
        list(table_rows(str(saved)))
    (saved / "state.json").write_text("{")
    with pytest.raises(DataError, match=r"state\.json: this is not JSON"):
        list(table_rows(str(saved)))
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"t\.parquet: this Parquet file cannot be read"):
        list(table_rows(str(tmp_path / "t.parquet")))
    with pytest.raises(DataError, match=r"t\.csv: a name ending in \.parquet"):
        list(table_rows(str(tmp_path / "t.csv")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="neither a save_to_disk folder nor"):
        list(table_rows(str(tmp_path / "empty")))


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    damaged = pa.StringArray.from_buffers(2, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff"))
    batch = pa.record_batch({"query": damaged, "positive": pa.array(["x", "y"])})
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "d.arrow"}]}')
    with pa.ipc.new_stream(str(tmp_path / "d.arrow"), batch.schema) as writer:
        writer.write_batch(batch)
    with pytest.raises(DataError, match=r"d\.arrow:1: text in this or the following rows is not UTF-8"):
        list(table_rows(str(tmp_path)))
