"""Mined negatives as training groups: ids, texts and scores in the GROUPS schema, gathered by Arrow, not row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.ranking import PAD_DOC
from ray_pipeline.retrieval.mining.mine import Mined
from ray_pipeline.schemas import GROUPS

_DOCS_AT_ONCE: Final = 65_536  # documents gathered into one table: a string array of Arrow's holds at most 2 GiB


def to_groups(mined: Mined, queries: pa.Table, corpus: pa.Table, positives: DocLists) -> pa.Table:
    """One row a query, in the order of `mined`; a query left without negatives keeps its row with an empty list."""
    return pa.concat_tables([GROUPS.empty_table(), *group_tables(mined, queries, corpus, positives)])


def group_tables(mined: Mined, queries: pa.Table, corpus: pa.Table, positives: DocLists) -> Iterator[pa.Table]:
    """The rows of `to_groups` as tables of bounded size, for a writer that streams."""
    kept = mined.negatives != PAD_DOC
    held = positives.take(mined.queries)
    counts = np.cumsum(kept.sum(axis=1) + held.counts)
    start = 0
    while start < len(mined.queries):
        before = int(counts[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(counts, before + _DOCS_AT_ONCE, side="right")))
        at = slice(start, stop)
        of_queries = queries.take(pa.array(mined.queries[at]))
        positive = held.take(np.arange(start, stop))
        lengths = kept[at].sum(axis=1)
        columns = [
            of_queries.column("query_id"),
            of_queries.column("text"),
            _scored_texts(corpus, "positives", positive.counts, positive.docs, positive.scores),
            _scored_texts(corpus, "negatives", lengths, mined.negatives[at][kept[at]], mined.scores[at][kept[at]]),
            pa.nulls(stop - start, pa.string()),
        ]
        yield pa.table(columns, schema=GROUPS)
        start = stop


def _scored_texts(
    corpus: pa.Table, field: str, lengths: NDArray[np.int64], docs: NDArray[np.int64], scores: NDArray[np.float32] | None
) -> pa.ListArray:
    """The named list column of GROUPS: `lengths` documents a row, out of `docs` one after the other."""
    kind = GROUPS.field(field).type
    rows = pa.array(docs)
    columns = [_one(corpus.column(name).take(rows)) for name in ("doc_id", "text")]
    # a positive that the ranking does not hold has no score (NaN): unknown, not a number
    columns.append(pa.nulls(len(docs), pa.float32()) if scores is None else pa.array(scores, pa.float32(), mask=np.isnan(scores)))
    columns.append(pa.nulls(len(docs), pa.float32()))  # no teacher has seen them
    members = pa.StructArray.from_arrays(columns, fields=list(kind.value_type))
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, members, type=kind)


def _one(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
