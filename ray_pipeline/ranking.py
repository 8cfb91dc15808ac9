"""A ranking as dense arrays: for each query its documents, best first.

Row i holds the documents of query `queries[i]`, ordered by score descending and then by document row descending
(prepared corpora are sorted by doc_id, so this is trec_eval's order). Short lists are padded with doc -1 and score -inf.

Trap: Arrow's list offsets are 32-bit, so 3 million queries x 1,000 documents do not fit into one chunk of a table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.schemas import RANKING

PAD_DOC = -1
_CHUNK_ENTRIES = 1 << 30  # list offsets are 32-bit: a chunk of the table stays well below


@dataclass(frozen=True)
class Ranking:
    queries: NDArray[np.int64]  # [Q] query rows
    docs: NDArray[np.int64]  # [Q, K] document rows, -1 where the list is shorter than K
    scores: NDArray[np.float32]  # [Q, K], -inf where padded

    def __post_init__(self) -> None:
        if self.docs.shape != self.scores.shape or self.docs.shape[:1] != self.queries.shape:
            raise ValueError(f"shapes disagree: queries {self.queries.shape}, docs {self.docs.shape}, scores {self.scores.shape}")

    def to_table(self) -> pa.Table:
        """The ranking as a table of the RANKING schema; padding is dropped."""
        rows = max(1, _CHUNK_ENTRIES // max(self.docs.shape[1], 1))
        starts = range(0, max(len(self.queries), 1), rows)
        return pa.concat_tables([self._rows_table(slice(start, start + rows)) for start in starts])

    def _rows_table(self, rows: slice) -> pa.Table:
        queries, docs, scores = self.queries[rows], self.docs[rows], self.scores[rows]
        kept = docs != PAD_DOC
        offsets = pa.array(np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32))
        columns = [pa.ListArray.from_arrays(offsets, pa.array(values[kept])) for values in (docs, scores)]
        teacher = pa.nulls(len(queries), pa.list_(pa.float32()))
        return pa.table([pa.array(queries), *columns, teacher], schema=RANKING)

    @classmethod
    def from_table(cls, table: pa.Table) -> Ranking:
        """The dense form of a table of the RANKING schema."""
        width = pc.max(pc.list_value_length(table.column("docs"))).as_py() or 0
        docs = np.full((table.num_rows, width), PAD_DOC, dtype=np.int64)
        scores = np.full((table.num_rows, width), -np.inf, dtype=np.float32)
        start = 0
        for batch in table.to_batches():
            doc_lists, score_lists = batch.column("docs"), batch.column("scores")
            lengths = np.diff(doc_lists.offsets.to_numpy())
            unequal = np.flatnonzero(lengths != np.diff(score_lists.offsets.to_numpy()))
            if len(unequal):
                query = batch.column("query")[int(unequal[0])]
                raise DataError(f"ranking of query row {query}: documents and scores differ in number; compute the ranking again")
            filled = np.arange(width) < lengths[:, None]
            rows = slice(start, start + batch.num_rows)
            docs[rows][filled] = doc_lists.flatten().to_numpy()
            scores[rows][filled] = score_lists.flatten().to_numpy()
            start += batch.num_rows
        return cls(table.column("query").to_numpy().astype(np.int64), docs, scores)
