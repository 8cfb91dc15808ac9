"""sentence-transformers' training files: pairs, triplets and n-tuples, as JSON Lines or Parquet.

As there, the order of the columns gives the meaning: first the anchor (the query), then its positive, then any number of
negatives, named `negative` or `negative_1`, `negative_2`, ... A row is one query with one positive. Any other column (a
label, a score) means that the file is something else and is refused. The file has no ids, so texts are named by their
content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from ray_pipeline.data.dataset import RetrievalDataset
from ray_pipeline.data.flag_embedding import group_rows
from ray_pipeline.data.groups import content_id, dataset_of_groups
from ray_pipeline.data.located import BATCH_ROWS, TableBuilder
from ray_pipeline.data.row import Row
from ray_pipeline.data.tables import table_rows, write_rows
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import GROUPS, conform

_NEGATIVE = re.compile(r"negative(_[0-9]+)?")
_NOT_TEXTS = re.compile(r"labels?|scores?")


@dataclass(frozen=True)
class TupleCounts:
    """What a tuple file received."""

    rows: int
    short_groups: int  # training rows with fewer negatives than asked for: fewer triplets, or no n-tuple


def read_tuples(path: str, *, split: str | None = None) -> RetrievalDataset:
    """The queries, documents and positives of a file of pairs, triplets or n-tuples."""
    groups, replaced = _read_groups(path, split)
    return dataset_of_groups(groups, path, replaced_surrogates=replaced)


def read_tuple_groups(path: str, *, split: str | None = None) -> pa.Table:
    """The same file as training rows (GROUPS), one a tuple."""
    return conform(_read_groups(path, split)[0], GROUPS, path)


def write_triplets(groups: pa.Table | Iterable[pa.RecordBatch], path: str, negatives: int) -> TupleCounts:
    """Rows of anchor, positive, negative: for every positive one row a negative, at most `negatives` of them."""
    counts = _Counts()

    def triplets() -> Iterator[list[str]]:
        for row in group_rows(groups):
            chosen = [item["text"] for item in row["negatives"][:negatives]]
            counts.short += len(chosen) < negatives
            for positive in row["positives"]:
                for negative in chosen:
                    yield [row["query"], positive["text"], negative]

    return counts.written(triplets(), ["negative"], path)


def write_n_tuples(groups: pa.Table | Iterable[pa.RecordBatch], path: str, negatives: int) -> TupleCounts:
    """Rows of anchor, positive, negative_1 .. negative_n, one a positive; a training row with fewer negatives is left out and counted."""
    counts = _Counts()

    def tuples() -> Iterator[list[str]]:
        for row in group_rows(groups):
            chosen = [item["text"] for item in row["negatives"][:negatives]]
            if len(chosen) < negatives:
                counts.short += 1
                continue
            for positive in row["positives"]:
                yield [row["query"], positive["text"], *chosen]

    return counts.written(tuples(), [f"negative_{number}" for number in range(1, negatives + 1)], path)


class _Counts:
    """Counts rows while they stream to the file."""

    def __init__(self) -> None:
        self.rows = 0
        self.short = 0

    def written(self, rows: Iterator[list[str]], negatives: list[str], path: str) -> TupleCounts:
        schema = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("anchor", "positive", *negatives)])
        write_rows(self._batches(rows, schema), schema, path)
        return TupleCounts(self.rows, self.short)

    def _batches(self, rows: Iterator[list[str]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        held: list[list[str]] = []
        for row in rows:
            held.append(row)
            if len(held) == BATCH_ROWS:
                yield self._batch(held, schema)
                held = []
        if held:
            yield self._batch(held, schema)

    def _batch(self, rows: list[list[str]], schema: pa.Schema) -> pa.RecordBatch:
        self.rows += len(rows)
        return pa.record_batch([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema=schema)


def _read_groups(path: str, split: str | None) -> tuple[pa.Table, int]:
    builder = TableBuilder(GROUPS)
    names: list[str] = []
    for row in table_rows(path, split):
        names = names or _tuple_columns(row)
        if row.fields.keys() != set(names):
            raise row.error(f"the columns are {', '.join(row.fields) or 'none'}; the first row has {', '.join(names)}")
        texts = [{"id": content_id("t", row.text(name)), "text": row.text(name)} for name in names[1:]]
        builder.add(row, None, row.text(names[0]), texts[:1], texts[1:], None)
    if not names:
        raise DataError(f"{path}: the file holds no row")
    return builder.finish(), builder.replaced_surrogates


def _tuple_columns(row: Row) -> list[str]:
    """The columns in their order, if they are those of a pair, a triplet or an n-tuple."""
    names = list(row.fields)
    if len(names) < 2:
        raise row.error(f"the columns are {', '.join(names) or 'none'}; an anchor and a positive are needed")
    odd = [name for name in names[:2] if _NOT_TEXTS.fullmatch(name)] + [name for name in names[2:] if not _NEGATIVE.fullmatch(name)]
    if odd:
        raise row.error(f"column {odd[0]!r} is neither anchor, positive nor negative", "read the file as format 'table' and name its columns")
    return names
