"""Papers with their theorems, lemmas and other statements: rows of `id`, `paper_id`, `kind`, `text`.

Every statement is a document and a query under one id, its paper is the group, and its positives are the other statements of
the paper (never itself, so a search must leave the query's own document out). Pairs grow with the square of a paper's
statements; they are computed on whole columns: in paper order a statement at place i of its paper of n has the places 0 ..
n-1 without i.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.located import BATCH_ROWS, TableBuilder
from ray_pipeline.data.tables import ColumnNames, table_rows, write_rows
from ray_pipeline.schemas import STATEMENTS, conform

_PAIRS_AT_ONCE = 1 << 20


def read_statements(path: str, *, columns: Mapping[str, str] | None = None, split: str | None = None) -> RetrievalDataset:
    """The statements of `path` (JSON Lines, Parquet or a save_to_disk folder), each to be found from the others of its paper."""
    statements, replaced = _read(path, columns, split)
    return _dataset(statements, path, replaced)


def read_statement_table(path: str, *, columns: Mapping[str, str] | None = None, split: str | None = None) -> pa.Table:
    """The statements themselves (STATEMENTS)."""
    return conform(_read(path, columns, split)[0], STATEMENTS, path)


def write_statements(statements: pa.Table, path: str) -> None:
    """STATEMENTS rows as Parquet or JSON Lines, by the name of `path`."""
    write_rows(conform(statements, STATEMENTS, "statements").to_batches(max_chunksize=BATCH_ROWS), STATEMENTS, path)


def same_group_pairs(groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All ordered pairs of different rows with the same group number, by first row."""
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    size_of = sizes[groups[order]]
    first_of = (np.cumsum(sizes) - sizes)[groups[order]]
    others = size_of - 1
    place = np.arange(len(groups)) - first_of
    left = np.repeat(np.arange(len(groups)), others)
    step = np.arange(len(left)) - np.repeat(np.cumsum(others) - others, others)
    right = np.repeat(first_of, others) + step + (step >= np.repeat(place, others))
    by_row = np.argsort(order[left], kind="stable")
    return order[left[by_row]], order[right[by_row]]


def _read(path: str, columns: Mapping[str, str] | None, split: str | None) -> tuple[pa.Table, int]:
    names = ColumnNames(tuple(STATEMENTS.names), columns or {})
    builder = TableBuilder(STATEMENTS)
    for row in names.checked(table_rows(path, split), path):
        builder.add(
            row,
            row.identifier(names["id"]),
            row.identifier(names["paper_id"]),
            row.optional_text(names["kind"]),
            row.text(names["text"]),
        )
    return builder.finish(), builder.replaced_surrogates


def _dataset(statements: pa.Table, path: str, replaced: int) -> RetrievalDataset:
    papers = statements.column("paper_id").combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    left, right = same_group_pairs(papers)
    ids = statements.column("id")
    qrels = pa.table({"query_id": _taken(ids, left), "doc_id": _taken(ids, right), "grade": pa.array(np.ones(len(left), dtype=np.int32))})
    corpus = statements.rename_columns({"id": "doc_id"})
    queries = statements.rename_columns({"id": "query_id", "paper_id": "group_id"})
    return build_dataset(corpus, queries, qrels, path, replaced_surrogates=replaced)


def _taken(ids: pa.ChunkedArray, rows: NDArray[np.int64]) -> pa.ChunkedArray:
    """`ids` at `rows`, in chunks small enough that no chunk's text passes Arrow's 2 GiB."""
    joined = ids.combine_chunks()
    pieces = [joined.take(pa.array(rows[start : start + _PAIRS_AT_ONCE])) for start in range(0, len(rows), _PAIRS_AT_ONCE)]
    return pa.chunked_array(pieces, pa.string())
