"""Row ranges of a table that lies in several Parquet files, read without reading the rest."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.columns import take_rows
from ray_pipeline.errors import ArtifactError
from ray_pipeline.storage import Location

_SKIPPED_ROWS: Final = 65_536  # about a row group: a shorter gap is read along


@dataclass(frozen=True)
class Rows:
    """A table as files in order: row r is the r-th row of their concatenation."""

    uris: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, artifact: Artifact, part: str) -> Rows:
        """The table whose files' logical names start with `part`."""
        files = artifact.files(part)
        if not files:
            raise ArtifactError(f"{artifact.location.uri}: holds no table {part!r}")
        counts = tuple(file.rows for file in files if file.rows is not None)
        if len(counts) < len(files):
            raise ArtifactError(f"{artifact.location.uri}: some files of {part!r} do not say how many rows they hold, so they are no table")
        return cls(tuple((artifact.location / file.path).uri for file in files), counts)

    @functools.cached_property
    def _ends(self) -> NDArray[np.int64]:
        """The row after the last of each file."""
        return np.cumsum(self.counts, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self.counts) else 0

    def slice(self, start: int, stop: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows start..stop-1; reads only the row groups that hold them."""
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"rows {start}..{stop} of {len(self)}")
        if start == stop:
            return _read_range(self.uris[0], self.counts[0], 0, 0, columns)
        first, last = np.searchsorted(self._ends, [start, stop - 1], side="right").tolist()
        pieces = []
        for at in range(first, last + 1):
            before = int(self._ends[at]) - self.counts[at]
            low, high = max(start - before, 0), min(stop - before, self.counts[at])
            if low < high:
                pieces.append(_read_range(self.uris[at], self.counts[at], low, high, columns))
        return pa.concat_tables(pieces)

    def take(self, rows: NDArray[np.int64], columns: Sequence[str] | None = None) -> pa.Table:
        """The given rows in their order, which may hold one twice; reads the stretches between them where these are short."""
        distinct, place = np.unique(rows, return_inverse=True)
        if not len(distinct):
            return self.slice(0, 0, columns)
        cuts = np.flatnonzero(np.diff(distinct) > _SKIPPED_ROWS) + 1
        pieces = []
        for stretch in np.split(distinct, cuts):
            read = self.slice(int(stretch[0]), int(stretch[-1]) + 1, columns)
            pieces.append(take_rows(read, stretch - stretch[0]))
        return take_rows(pa.concat_tables(pieces), place)

    def blocks(self, rows: int, columns: Sequence[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """The whole table in order, in blocks of `rows`, each with the number of its first row."""
        for start in range(0, len(self), rows):
            yield start, self.slice(start, min(start + rows, len(self)), columns)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All of it."""
        return self.slice(0, len(self), columns)


def _read_range(uri: str, rows: int, low: int, high: int, columns: Sequence[str] | None) -> pa.Table:
    filesystem, path = Location.of(uri).open()
    with pq.ParquetFile(filesystem.open_input_file(path)) as file:
        if file.metadata.num_rows != rows:
            raise ArtifactError(
                f"{uri}: {file.metadata.num_rows} rows, but its manifest says {rows}; the file is damaged, compute the artifact again"
            )
        bounds = np.cumsum([0, *(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))])
        groups = [group for group in range(file.num_row_groups) if bounds[group] < high and bounds[group + 1] > low]
        table = file.read_row_groups(groups, columns=columns)
    return table.slice(low - int(bounds[groups[0]]), high - low) if groups else table


def vectors_of(table: pa.Table) -> NDArray[np.float32]:
    """The vector column as a float32 matrix (float16 widens exactly)."""
    column = table.column("vector").combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    matrix: NDArray[np.float32] = flat.reshape(len(column), column.type.list_size).astype(np.float32, copy=False)
    return matrix
