from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_pipeline.data.parquet import read_parquet
from ray_pipeline.errors import DataError


def folder(path: Path, **tables: pa.Table) -> str:
    made = {
        "corpus": pa.table({"doc_id": ["b", "a"], "text": ["x", "y"]}),
        "queries": pa.table({"query_id": ["q"], "text": ["?"]}),
        "qrels": pa.table({"query_id": ["q"], "doc_id": ["a"], "grade": [1]}),
    }
    for name, table in (made | tables).items():
        pq.write_table(table, path / f"{name}.parquet")
    return str(path)


def test_absent_columns_are_null_and_types_are_cast(tmp_path: Path) -> None:
    dataset = read_parquet(folder(tmp_path, corpus=pa.table({"doc_id": ["b", "a"], "text": pa.array(["x", "y"]).dictionary_encode()})))
    assert dataset.corpus.to_pylist() == [{"doc_id": "a", "text": "y", "title": None}, {"doc_id": "b", "text": "x", "title": None}]
    assert dataset.qrels.column("grade").type == pa.int32()


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"corpus": pa.table({"id": ["a"], "text": ["x"]})}, "corpus.parquet: column 'doc_id' is missing; the columns are id, text"),
        ({"queries": pa.table({"query_id": ["q", "r"], "text": ["x", None]})}, "queries.parquet: column 'text' is null in row 1"),
        ({"qrels": pa.table({"query_id": ["q"], "doc_id": ["a"], "grade": ["high"]})}, "qrels.parquet: column 'grade' is string, not int32"),
        ({"qrels": pa.table({"query_id": ["q"], "doc_id": ["z"], "grade": [1]})}, "row 0: judgement of the document 'z'"),
    ],
)
def test_faults_are_named(tmp_path: Path, tables: dict[str, pa.Table], said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_parquet(folder(tmp_path, **tables))
    assert said in str(caught.value)


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (tmp_path / "qrels.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match=r"qrels\.parquet: this Parquet file cannot be read"):
        read_parquet(path)
    (tmp_path / "qrels.parquet").unlink()
    with pytest.raises(DataError, match=r"qrels\.parquet: this Parquet file cannot be read"):
        read_parquet(path)
