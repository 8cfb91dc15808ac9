"""Any table of rows: JSON Lines, Parquet, or a folder that `datasets.save_to_disk` wrote, with the columns named in
`columns`.

A folder of `save_to_disk` holds Arrow IPC streams, listed in `state.json`; a `DatasetDict` is a folder of such folders,
listed in `dataset_dict.json`. Both are read with Arrow alone: nothing of them is executed. Any other folder is read as its
.parquet and .jsonl files by name. `columns` maps our names to the file's, `{query: question, positive: answer}`; a name that
it leaves out stands for itself.

Trap: row numbers in messages count from 1 inside each file, as line numbers do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.data.dataset import RetrievalDataset
from ray_pipeline.data.files import file_names, is_file, is_folder, join, locate, reading, writing
from ray_pipeline.data.groups import SOURCE_ROWS, dataset_of_groups, scored_texts
from ray_pipeline.data.lines import json_rows, json_rows_with_text, write_json_lines
from ray_pipeline.data.located import BATCH_ROWS, TableBuilder
from ray_pipeline.data.row import Row
from ray_pipeline.errors import DataError

ROLES: Final = ("query", "positive", "negative", "query_id", "positive_id", "negative_id", "group_id", "reasoning", "split")
JSON_LINES: Final = (".jsonl", ".jsonl.gz", ".ndjson", ".json", ".json.gz")


def read_table(path: str, *, columns: Mapping[str, str] | None = None, split: str | None = None) -> RetrievalDataset:
    """Rows of a query and its positive (a text or a list of texts), perhaps negatives, ids and a group. `split` picks a `DatasetDict`'s member."""
    names = ColumnNames(ROLES, columns or {})
    builder = TableBuilder(SOURCE_ROWS)
    for row in names.checked(table_rows(path, split), path):
        row.require(names["positive"])
        builder.add(
            row,
            row.optional_identifier(names["query_id"]),
            row.text(names["query"]),
            scored_texts(row, names["positive"], names["positive_id"]),
            scored_texts(row, names["negative"], names["negative_id"]),
            None,
            row.optional_identifier(names["group_id"]),
            row.optional_text(names["reasoning"]),
            row.optional_text(names["split"]),
        )
    return dataset_of_groups(builder.finish(), path, replaced_surrogates=builder.replaced_surrogates)


class ColumnNames:
    """The file's name for each of a reader's columns."""

    def __init__(self, roles: tuple[str, ...], columns: Mapping[str, str]) -> None:
        for role in columns:
            if role not in roles:
                raise DataError(f"columns.{role}: there is no such column here; there are {', '.join(roles)}")
        self._given = dict(columns)
        self._names = {role: columns.get(role, role) for role in roles}

    def __getitem__(self, role: str) -> str:
        return self._names[role]

    def checked(self, rows: Iterable[Row], path: str) -> Iterator[Row]:
        """`rows`; after the last, a column that was named but that no row has is an error."""
        unseen = dict(self._given)
        fields: tuple[str, ...] = ()
        for row in rows:
            if unseen:
                unseen = {role: name for role, name in unseen.items() if name not in row.fields}
            fields = fields or tuple(row.fields)
            yield row
        for role, name in unseen.items():
            raise DataError(f"{path}: no row has the column {name!r} that columns.{role} names; the first row has {', '.join(fields) or 'none'}")


def table_rows(path: str, split: str | None = None) -> Iterator[Row]:
    """The rows of a file or folder, in order."""
    if is_file(join(path, "dataset_dict.json")):
        path, split = _member(path, split), None
    if split is not None:
        raise DataError(f"{path}: holds one data set, so there is no split {split!r} to choose; leave `split` out")
    if is_file(join(path, "state.json")):
        yield from _saved_rows(path)
    elif is_folder(path):
        names = [name for name in file_names(path) if name.endswith((".parquet", *JSON_LINES))]
        if not names:
            raise DataError(f"{path}: neither a save_to_disk folder nor a folder of .parquet or .jsonl files")
        for name in names:
            yield from _file_rows(join(path, name))
    else:
        yield from _file_rows(path)


def rows_with_text(path: str) -> Iterator[tuple[Row, str | None]]:
    """The same, with the lines they stand in, where a file of lines is given."""
    if path.endswith(JSON_LINES):
        yield from json_rows_with_text(path)
    else:
        yield from ((row, None) for row in table_rows(path))


def write_rows(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: str) -> None:
    """Rows as Parquet where `path` ends in .parquet, else as JSON Lines without the nulls."""
    if not path.endswith(".parquet"):
        rows = (row for batch in batches for row in batch.to_pylist())
        write_json_lines(path, ({name: value for name, value in row.items() if value is not None} for row in rows))
        return
    with writing(path) as stream, pq.ParquetWriter(stream, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _file_rows(path: str) -> Iterator[Row]:
    if path.endswith(".parquet"):
        system, name = locate(path)
        try:
            with system.open_input_file(name) as stream:
                yield from _batch_rows(pq.ParquetFile(stream).iter_batches(BATCH_ROWS), path)
        except (pa.ArrowInvalid, OSError) as problem:
            raise DataError(f"{path}: this Parquet file cannot be read: {problem}") from problem
    elif path.endswith(JSON_LINES):
        yield from json_rows(path)
    else:
        raise DataError(f"{path}: a name ending in .parquet, {', '.join(JSON_LINES)} was expected, or a folder")


def _saved_rows(folder: str) -> Iterator[Row]:
    state = _read_json(join(folder, "state.json"))
    files = state.get("_data_files") if isinstance(state, dict) else None
    if not isinstance(files, list) or not all(isinstance(file, dict) and isinstance(file.get("filename"), str) for file in files):
        raise DataError(f"{join(folder, 'state.json')}: no list of _data_files; the folder is not one that save_to_disk wrote")
    if state.get("_indices_data_files"):
        raise DataError(f"{folder}: the rows are chosen by an index file, as old versions of datasets wrote it; load and save it with a new one")
    for file in files:
        path = join(folder, file["filename"])
        try:
            with reading(path) as stream, pa.ipc.open_stream(stream) as batches:
                yield from _batch_rows(batches, path)
        except (pa.ArrowInvalid, OSError) as problem:
            raise DataError(f"{path}: this Arrow stream cannot be read: {problem}") from problem


def _member(folder: str, split: str | None) -> str:
    listed = _read_json(join(folder, "dataset_dict.json"))
    members = listed.get("splits") if isinstance(listed, dict) else None
    if not isinstance(members, list) or not members:
        raise DataError(f"{join(folder, 'dataset_dict.json')}: no list of splits; the folder is not one that save_to_disk wrote")
    chosen = split or (members[0] if len(members) == 1 else None)
    if chosen not in members:
        asked = "choose one with `split`" if chosen is None else f"there is no {chosen!r}"
        raise DataError(f"{folder}: holds the splits {', '.join(map(str, members))}; {asked}")
    return join(folder, str(chosen))


def _read_json(path: str) -> Any:
    with reading(path) as stream:
        try:
            return json.load(stream)
        except ValueError as problem:
            raise DataError(f"{path}: this is not JSON: {problem}") from problem


def _batch_rows(batches: Iterable[pa.RecordBatch], path: str) -> Iterator[Row]:
    number = 0
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            try:
                rows = batch.slice(start, BATCH_ROWS).to_pylist()
            except UnicodeDecodeError as problem:
                raise DataError.at(path, number + 1, f"text in this or the following rows is not UTF-8: {problem}") from problem
            for fields in rows:
                number += 1
                yield Row(path, number, fields)
