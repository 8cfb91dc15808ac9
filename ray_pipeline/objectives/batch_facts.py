"""What is known of a batch besides its vectors: integers that say who belongs to whom.

The vectors, and so the facts, are those of all ranks together; `rows` says which of the queries are this rank's.
Texts and ids come as int64 keys (dense document rows, 64-bit hashes of normalised texts), on the device of the vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class KnownPositives:
    """All known positives of each query, in the batch or not: query i's are [start[i], start[i + 1])."""

    start: Tensor  # int64 [Q + 1]
    doc_id: Tensor  # int64 [n]
    doc_text: Tensor  # int64 [n], hash of the normalised text

    def of(self, rows: range) -> tuple[Tensor, Tensor, Tensor]:
        """For the positives of `rows`: which of the rows (counted from 0), document id, hash of the text."""
        bounds = self.start[rows.start : rows.stop + 1]
        first, last = int(bounds[0]), int(bounds[-1])
        row = torch.repeat_interleave(torch.arange(len(rows), device=bounds.device), bounds.diff())
        return row, self.doc_id[first:last], self.doc_text[first:last]

    def queries(self) -> Tensor:
        """The query of every entry."""
        return torch.repeat_interleave(torch.arange(len(self.start) - 1, device=self.start.device), self.start.diff())


@dataclass(frozen=True)
class BatchFacts:
    """Q queries and D documents of one step."""

    rows: range  # the queries whose loss is computed here
    own: Tensor  # int64 [Q, 1 + K] columns of the drawn positive, then of the query's own negatives; -1 where there are fewer
    doc_id: Tensor  # int64 [D]
    doc_text: Tensor  # int64 [D], hash of the normalised text
    query_text: Tensor  # int64 [Q]
    query_group: Tensor | None = None  # int64 [Q] label groups, -1 for none: a document of the query's group is a positive
    doc_group: Tensor | None = None  # int64 [D]
    known: KnownPositives | None = None
    teacher: Tensor | None = None  # float [Q, 1 + K], parallel to `own`, NaN where unknown
    weight: Tensor | None = None  # float [Q], what each query's loss counts; 1 where absent
    guide_queries: Tensor | None = None  # float [Q, g], vectors of a guide model
    guide_documents: Tensor | None = None  # float [D, g]

    def __post_init__(self) -> None:
        queries, documents = len(self.own), len(self.doc_id)
        lengths = {
            "doc_text": (self.doc_text, documents),
            "query_text": (self.query_text, queries),
            "query_group": (self.query_group, queries),
            "doc_group": (self.doc_group, documents),
            "teacher": (self.teacher, queries),
            "weight": (self.weight, queries),
            "guide_queries": (self.guide_queries, queries),
            "guide_documents": (self.guide_documents, documents),
            "known.start": (None if self.known is None else self.known.start, queries + 1),
        }
        for name, (value, length) in lengths.items():
            if value is not None and len(value) != length:
                raise ValueError(f"{name} has {len(value)} rows; {queries} queries and {documents} documents need {length}")
        for one, other in (("query_group", "doc_group"), ("guide_queries", "guide_documents")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{one} and {other} come together or not at all")
        if self.teacher is not None and self.teacher.shape != self.own.shape:
            raise ValueError(f"teacher is {list(self.teacher.shape)}, but it is parallel to own, which is {list(self.own.shape)}")
        if self.rows.step != 1 or not 0 <= self.rows.start < self.rows.stop <= queries:
            raise ValueError(f"rows {self.rows} is no block of the {queries} queries")
        if bool((self.own[:, 0] < 0).any()) or bool((self.own >= documents).any()):
            raise ValueError(f"own: every query needs a drawn positive, and columns lie in [0, {documents})")

    @property
    def target(self) -> Tensor:
        """int64 [Q] the column of each query's drawn positive."""
        return self.own[:, 0]

    def own_columns(self, rows: range) -> Tensor:
        """[c, 1 + K] `own` with the drawn positive where the list is shorter, so that every entry is a column."""
        own = self.own[rows.start : rows.stop]
        return torch.where(own < 0, own[:, :1], own)
