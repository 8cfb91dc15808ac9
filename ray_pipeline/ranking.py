"""A ranking as dense arrays: for each query its documents, best first.

Row i holds the documents of query `queries[i]`, ordered by score descending and then by document row descending
(prepared corpora are sorted by doc_id, so this is trec_eval's order). Short lists are padded with doc -1 and score -inf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.schemas import RANKING

PAD_DOC = -1


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
        kept = self.docs != PAD_DOC
        offsets = pa.array(np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32))
        docs = pa.ListArray.from_arrays(offsets, pa.array(self.docs[kept]))
        scores = pa.ListArray.from_arrays(offsets, pa.array(self.scores[kept]))
        teacher = pa.nulls(len(self.queries), pa.list_(pa.float32()))
        return pa.table([pa.array(self.queries), docs, scores, teacher], schema=RANKING)

    @classmethod
    def from_table(cls, table: pa.Table) -> Ranking:
        """The dense form of a table of the RANKING schema."""
        docs_column = table.column("docs").combine_chunks()
        scores_column = table.column("scores").combine_chunks()
        lengths = np.diff(docs_column.offsets.to_numpy())
        width = int(lengths.max(initial=0))
        filled = np.arange(width) < lengths[:, None]
        docs = np.full((len(lengths), width), PAD_DOC, dtype=np.int64)
        scores = np.full((len(lengths), width), -np.inf, dtype=np.float32)
        docs[filled] = docs_column.flatten().to_numpy()
        scores[filled] = scores_column.flatten().to_numpy()
        return cls(table.column("query").to_numpy().astype(np.int64), docs, scores)
