"""Arrow tables that stay on disk: written in the form they have in memory, mapped, and read where they are touched.

A table is one record batch, so that row r is found without a search; nothing is compressed, since what is compressed cannot be mapped.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from ray_pipeline.errors import ArtifactError


def mappable_bytes(table: pa.Table) -> pa.Buffer:
    """The table as a file that `mapped` opens; equal tables give equal bytes."""
    sink = io.BytesIO()
    joined = table.combine_chunks()
    with pa.ipc.new_file(sink, joined.schema) as writer:
        for batch in joined.to_batches():
            writer.write_batch(batch)
    return pa.py_buffer(sink.getvalue())


def mapped(path: Path) -> pa.Table:
    """The table of a file that `mappable_bytes` made."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError) as problem:
        raise ArtifactError(f"{path}: not an Arrow file, or damaged: {problem}; check it with jobs.verify, or compute it again") from problem


def place_of_text(column: pa.ChunkedArray | pa.Array, text: str) -> int:
    """The first place in an ascending column whose text is not before `text`, by binary search: the column is not read."""
    low, high = 0, len(column)
    while low < high:
        middle = (low + high) // 2
        if column[middle].as_py() < text:
            low = middle + 1
        else:
            high = middle
    return low


def rows_of_texts(column: pa.ChunkedArray | pa.Array, texts: Sequence[str]) -> list[int]:
    """The row of each text in an ascending column, -1 where it is not there."""
    places = [place_of_text(column, text) for text in texts]
    return [place if place < len(column) and column[place].as_py() == text else -1 for place, text in zip(places, texts, strict=True)]
