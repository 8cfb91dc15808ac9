"""Documents that must not be returned for a query: its own row, its known positives."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ray_pipeline.errors import DataError


class Exclusion:
    """Document rows excluded for each query, as CSR: query i's are docs[indptr[i]:indptr[i+1]]."""

    def __init__(self, indptr: NDArray[np.int64], docs: NDArray[np.int64]) -> None:
        if len(indptr) < 1 or indptr[0] != 0 or indptr[-1] != len(docs) or bool((np.diff(indptr) < 0).any()):
            raise DataError(f"exclusion: indptr must rise from 0 to the {len(docs)} documents given")
        self.indptr, self.docs = indptr.astype(np.int64), docs.astype(np.int64)

    @classmethod
    def itself(cls, rows: NDArray[np.int64]) -> Exclusion:
        """Each query is document `rows[i]` of the corpus and must not find itself."""
        return cls(np.arange(len(rows) + 1, dtype=np.int64), rows)

    @classmethod
    def lists(cls, docs: Iterable[Iterable[int]]) -> Exclusion:
        """One list of document rows a query."""
        rows = [np.fromiter(row, dtype=np.int64) for row in docs]
        return cls(np.cumsum([0, *map(len, rows)], dtype=np.int64), np.concatenate([np.empty(0, np.int64), *rows]))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __or__(self, other: Exclusion) -> Exclusion:
        """What either excludes."""
        if len(self) != len(other):
            raise DataError(f"exclusions of {len(self)} and {len(other)} queries cannot be joined")
        queries = np.concatenate([self.queries(), other.queries()])
        docs = np.concatenate([self.docs, other.docs])[np.argsort(queries, kind="stable")]
        return Exclusion(self.indptr + other.indptr, docs)

    def queries(self) -> NDArray[np.int64]:
        """The query of each entry."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.indptr))


class ExclusionByDoc:
    """The same entries looked up by document, for one block of documents after another."""

    def __init__(self, exclusion: Exclusion, device: torch.device) -> None:
        order = np.argsort(exclusion.docs, kind="stable")
        self._docs = torch.from_numpy(exclusion.docs[order]).to(device)
        self._queries = torch.from_numpy(exclusion.queries()[order]).to(device)

    def within(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(query, place in `rows`) of each excluded pair whose document is among `rows`, sorted by query."""
        first = torch.searchsorted(self._docs, rows)
        counts = torch.searchsorted(self._docs, rows, right=True) - first
        place = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), counts)
        entry = torch.arange(len(place), device=rows.device) + (first - counts.cumsum(0) + counts)[place]
        order = torch.argsort(self._queries[entry], stable=True)
        return self._queries[entry][order], place[order]
