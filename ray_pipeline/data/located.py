"""Arrow tables that are grown row by row, a batch at a time, and keep the place of every row in two columns of their own.

So a fault which shows only later (an id that occurs twice, a judgement of a document that is not there) can still be told
with its `file:line`. `schemas.conform` drops the two columns.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from ray_pipeline.data.row import Row

FILE: Final = "_file"
LINE: Final = "_line"
BATCH_ROWS: Final = 8_192


class TableBuilder:
    """An Arrow table of `schema`, grown row by row, with the place of every row beside it."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = pa.schema([*schema, pa.field(FILE, pa.dictionary(pa.int32(), pa.string())), pa.field(LINE, pa.int64())])
        self.replaced_surrogates = 0
        self._batches: list[pa.RecordBatch] = []
        self._rows: list[tuple[object, ...]] = []
        self._lines: list[int] = []
        self._path = ""

    def add(self, row: Row, *values: object) -> None:
        """One more row, its values in the schema's order; `row` says where they were read."""
        self.replaced_surrogates += row.replaced_surrogates
        self.add_at(row.path, row.line, *values)

    def add_at(self, path: str, line: int, *values: object) -> None:
        if len(self._rows) == BATCH_ROWS or path != self._path:
            self._flush()
            self._path = path
        self._rows.append(values)
        self._lines.append(line)

    def finish(self) -> pa.Table:
        self._flush()
        return pa.Table.from_batches(self._batches, schema=self.schema)

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = [pa.array(column, field.type) for column, field in zip(zip(*self._rows, strict=True), self.schema, strict=False)]
        files = pa.DictionaryArray.from_arrays(np.zeros(len(self._rows), dtype=np.int32), pa.array([self._path]))
        self._batches.append(pa.record_batch([*columns, files, pa.array(self._lines, pa.int64())], schema=self.schema))
        self._rows, self._lines = [], []


def place_of(table: pa.Table, row: int, where: object) -> str:
    """`file:line` of a row that a `TableBuilder` kept, else the row's number in `where`."""
    if LINE not in table.column_names:
        return f"{where}: row {row}"
    return f"{table.column(FILE)[row].as_py()}:{table.column(LINE)[row].as_py()}"
