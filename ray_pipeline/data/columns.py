"""Columns of ids and texts: found, reordered, joined, whatever their size.

Trap: Arrow's `string` has 32-bit offsets, and `take` first joins all chunks, so reordering a column of more than 2 GiB of text
fails unless it passes through `large_string`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_JOINABLE_BYTES: Final = 1 << 30
_TAKEN_ROWS: Final = 1 << 16


def rows_of(ids: pa.ChunkedArray | pa.Array, known: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    """The row in `known` of each of `ids`, -1 where it is not there."""
    found = pc.fill_null(pc.index_in(ids, value_set=known), -1)
    return np.asarray(found.to_numpy() if isinstance(found, pa.ChunkedArray) else found.to_numpy(zero_copy_only=False), dtype=np.int64)


def take_rows(table: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    """`table` in the order of `rows`, whatever the bytes of its text."""
    return pa.table([_take(column, rows) for column in table.columns], schema=table.schema)


def titled_text(corpus: pa.Table, separator: str = " ") -> pa.ChunkedArray:
    """What an embedder reads of each document: title, separator, text; only the text where there is no title."""
    joined = pc.binary_join_element_wise(corpus.column("title"), corpus.column("text"), separator)
    return pc.coalesce(joined, corpus.column("text"))


def _take(column: pa.ChunkedArray, rows: NDArray[np.int64]) -> pa.ChunkedArray:
    if not pa.types.is_string(column.type) or column.nbytes < _JOINABLE_BYTES:
        return column.take(pa.array(rows))
    joined = column.cast(pa.large_string()).combine_chunks()
    blocks = [joined.take(pa.array(rows[start : start + _TAKEN_ROWS])).cast(pa.string()) for start in range(0, len(rows), _TAKEN_ROWS)]
    return pa.chunked_array(blocks, type=pa.string())
