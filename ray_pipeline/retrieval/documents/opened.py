"""Published documents, opened: by row, by id, by words, under filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.mapped import mapped, rows_of_texts
from ray_pipeline.errors import SettingsError
from ray_pipeline.local_copy import local_file
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.documents.filters import matches
from ray_pipeline.retrieval.documents.part import TABLES, DocumentsPart
from ray_pipeline.retrieval.lexical.bm25 import BM25Index

STAGE = "documents"


class Documents:
    """Parts in doc_id order: row r is the r-th document of the corpus."""

    def __init__(self, parts: Sequence[DocumentsPart], fields: Sequence[str] | None = None) -> None:
        self.parts = parts
        self._fields = fields  # of the whole corpus, where these are some of its parts
        self._ends = np.cumsum([len(part) for part in parts])
        self._words = BM25Index([part.postings for part in parts])

    @classmethod
    def of(cls, artifact: Artifact, first: int = 0, stop: int | None = None) -> Documents:
        """The documents `first` to `stop - 1`, which have to be whole parts; rows count from `first`."""
        numbers = parts_between(artifact, first, stop)
        tables = [{name: mapped(local_file(artifact, f"{name}/{number:06d}.arrow")) for name in TABLES} for number in numbers]
        return cls([DocumentsPart.of_tables(one) for one in tables], artifact.metrics["fields"])

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def fields(self) -> list[str]:
        """The fields that some document of the corpus has."""
        if self._fields is not None:
            return sorted(self._fields)
        return sorted({name for part in self.parts for name in part.columns.column_names})

    def document(self, row: int) -> dict[str, Any]:
        part, inside = self._place(row)
        return part.document(inside)

    def doc_id(self, row: int) -> str:
        part, inside = self._place(row)
        return str(part.documents.column("doc_id")[inside].as_py())

    def _place(self, row: int) -> tuple[DocumentsPart, int]:
        number = int(np.searchsorted(self._ends, row, side="right"))
        return self.parts[number], row - int(self._ends[number]) + len(self.parts[number])

    def rows_of(self, doc_ids: Sequence[str]) -> list[int]:
        """The row of each id, -1 for one that is not here."""
        found = [-1] * len(doc_ids)
        for part, end in zip(self.parts, self._ends.tolist(), strict=True):
            for at, row in enumerate(rows_of_texts(part.documents.column("doc_id"), doc_ids)):
                if row >= 0:
                    found[at] = end - len(part) + row
        return found

    def matching(self, given: Any) -> NDArray[np.bool_]:
        """[rows] the documents that a filter keeps."""
        return np.concatenate([matches(given, part.columns, len(part)) for part in self.parts])

    def search(self, texts: Sequence[str], k: int, keep: NDArray[np.bool_] | None = None) -> Ranking:
        """The best k documents for each text by BM25, among the rows where `keep`."""
        return self._words.search(texts, k, keep)


def parts_between(artifact: Artifact, first: int, stop: int | None) -> list[int]:
    """The parts that hold the documents `first` to `stop - 1`, and no others."""
    starts = [int(start) for start in artifact.metrics["parts"]]
    ends = [*starts[1:], int(artifact.manifest["rows"])]
    last = ends[-1] if stop is None else stop
    if first not in starts or last not in ends:
        raise SettingsError(
            f"{artifact.location.uri}: its parts begin at {starts[:3]}..., and documents {first} to {last} are asked for; "
            "publish it with the index it was built with, by jobs.index or jobs.fold"
        )
    return [number for number, start in enumerate(starts) if first <= start < last]
