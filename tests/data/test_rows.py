"""Ranges of rows of a table in several files equal slices of the whole table."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.data import rows as module
from ray_pipeline.data.rows import Rows, vectors_of
from ray_pipeline.errors import ArtifactError
from ray_pipeline.schemas import vectors_schema

COUNTS = (5000, 1, 0, 2048, 3)


def made(folder: Path, counts: tuple[int, ...] = COUNTS) -> tuple[Artifact, pa.Table]:
    total = sum(counts)
    whole = pa.table({"n": pa.array(range(total), pa.int64()), "text": [f"t{n}" for n in range(total)]})
    attempt = Workspace.at(str(folder)).begin("data", "0" * 20)
    start = 0
    for number, count in enumerate(counts):
        attempt.write_table(f"part/{number:06d}.parquet", whole.slice(start, count))
        start += count
    attempt.write("part/notes.md", b"no table")
    body: dict[str, Any] = {"stage": "data", "fingerprint": "0" * 20, "algorithm": 1, "identity": {}, "inputs": {}, "metrics": {}, "rows": total}
    return attempt.publish(body), whole


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, pa.Table]:
    artifact, whole = made(tmp_path_factory.mktemp("rows"))
    return Rows.of(artifact, "part/0"), whole


@given(st.data())
def test_a_range_is_the_slice_of_the_whole(table: tuple[Rows, pa.Table], data: st.DataObject) -> None:
    rows, whole = table
    edges = st.sampled_from([0, 1, 2047, 2048, 2049, 4999, 5000, 5001, 5002, 7048, 7049, 7052]) | st.integers(0, len(rows))
    start, stop = sorted((data.draw(edges), data.draw(edges)))
    assert rows.slice(start, stop).equals(whole.slice(start, stop - start))


def test_length_whole_table_blocks_and_columns(table: tuple[Rows, pa.Table]) -> None:
    rows, whole = table
    assert len(rows) == whole.num_rows == 7052
    assert rows.table().equals(whole)
    assert rows.table(["n"]).column_names == ["n"]
    blocks = list(rows.blocks(3000, ["n"]))
    assert [(start, block.num_rows) for start, block in blocks] == [(0, 3000), (3000, 3000), (6000, 1052)]
    assert pa.concat_tables([block for _, block in blocks]).equals(whole.select(["n"]))
    assert pickle.loads(pickle.dumps(rows)) == rows


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 2), (0, 7053), (7053, 7053)])
def test_rows_that_do_not_exist_are_an_error(table: tuple[Rows, pa.Table], start: int, stop: int) -> None:
    with pytest.raises(IndexError, match="of 7052"):
        table[0].slice(start, stop)


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    artifact, whole = made(tmp_path, (0,))
    rows = Rows.of(artifact, "part/0")
    assert len(rows) == 0 and list(rows.blocks(5)) == []
    assert rows.table().schema.equals(whole.schema)


def test_only_the_row_groups_of_the_range_are_read(table: tuple[Rows, pa.Table], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[list[int]] = []

    class Watched(pq.ParquetFile):  # type: ignore[misc]
        def read_row_groups(self, groups: list[int], **options: Any) -> pa.Table:
            read.append(groups)
            return super().read_row_groups(groups, **options)

    monkeypatch.setattr(module.pq, "ParquetFile", Watched)
    table[0].slice(2100, 2200)
    table[0].slice(4999, 5001)
    assert read == [[1], [2], [0]]


def test_what_is_no_table_or_not_the_one_described_is_refused(tmp_path: Path) -> None:
    artifact, _ = made(tmp_path, (10, 10))
    with pytest.raises(ArtifactError, match="holds no table 'vectors/'"):
        Rows.of(artifact, "vectors/")
    with pytest.raises(ArtifactError, match="some files of 'part/' do not say how many rows"):
        Rows.of(artifact, "part/")
    rows = Rows.of(artifact, "part/0")
    pq.write_table(pa.table({"n": [1], "text": ["x"]}), rows.uris[1])
    assert rows.slice(0, 10).num_rows == 10
    with pytest.raises(ArtifactError, match=r"000001\.parquet: 1 rows, but its manifest says 10"):
        rows.slice(5, 15)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_vectors_come_as_a_matrix_from_chunks_and_slices(dtype: str) -> None:
    matrix = np.arange(12, dtype=np.dtype(dtype)).reshape(4, 3) / 8
    column = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), 3)
    whole = pa.table([pa.array(list("abcd")), column.cast(vectors_schema(3, dtype).field("vector").type)], schema=vectors_schema(3, dtype))
    found = vectors_of(pa.concat_tables([whole.slice(1, 2), whole.slice(3, 1)]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, matrix[1:].astype(np.float32))
    np.testing.assert_array_equal(vectors_of(whole.slice(2, 1)), matrix[2:3].astype(np.float32))
    assert vectors_of(whole.slice(0, 0)).shape == (0, 3)
