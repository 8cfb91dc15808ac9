"""A prepared data set: the artifact every retrieval stage reads.

    corpus/NNNNNN.parquet            documents in doc_id order: row number = rank of the id
    fields/NNNNNN.parquet            fields of the documents as JSON, where they have any
    queries/<split>/NNNNNN.parquet   train, eval, and `rest` (unlabelled, or in no split)
    qrels/<split>.parquet

A query's row number counts within its split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.data.columns import rows_of
from ray_pipeline.data.dataset import RetrievalDataset
from ray_pipeline.data.fields import COLUMN
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CORPUS

Split = Literal["train", "eval", "rest"]
SPLITS: Final[tuple[Split, ...]] = ("train", "eval", "rest")
FILE_ROWS: Final = 1 << 16
FIELDS_PART: Final = "fields/"


@dataclass(frozen=True)
class PreparedData:
    """A view of the artifact."""

    artifact: Artifact

    def corpus(self) -> Rows:
        return Rows.of(self.artifact, "corpus/")

    def fields(self) -> Rows | None:
        """The documents' fields, row by row as the corpus; None where they have none."""
        return Rows.of(self.artifact, FIELDS_PART) if self.artifact.files(FIELDS_PART) else None

    def query_part(self, split: str) -> str:
        """The logical folder of a split's queries; an error where the data has none."""
        part = f"queries/{split}/"
        if not self.artifact.files(part):
            held = ", ".join(one for one in SPLITS if self.artifact.files(f"queries/{one}/"))
            raise DataError(f"{self.artifact.location.uri}: no queries in split {split!r}; there are {held}. Set data.split, or take another split")
        return part

    def queries(self, split: str) -> Rows:
        return Rows.of(self.artifact, self.query_part(split))

    def judgements(self, split: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """The split's judgements as parallel arrays: query rows, document rows, grades."""
        table = self.artifact.table(f"qrels/{split}.parquet")
        query_rows = rows_of(table.column("query_id"), self.query_ids(split))
        doc_rows = rows_of(table.column("doc_id"), self.doc_ids())
        return query_rows, doc_rows, table.column("grade").to_numpy()

    def query_ids(self, split: str) -> pa.ChunkedArray:
        return self.queries(split).table(["query_id"]).column("query_id")

    def doc_ids(self) -> pa.ChunkedArray:
        return self.corpus().table(["doc_id"]).column("doc_id")


def write_prepared(attempt: Attempt, dataset: RetrievalDataset) -> dict[Split, int]:
    """Write the data set's tables; returns the queries a split holds."""
    _write_rows(attempt, "corpus/", dataset.corpus.select(CORPUS.names))
    if COLUMN in dataset.corpus.column_names:
        _write_rows(attempt, FIELDS_PART, dataset.corpus.select([COLUMN]))
    sides = split_names(dataset)
    counts: dict[Split, int] = {}
    for split in SPLITS:
        mine = pa.array(sides == split)
        queries = dataset.queries.filter(mine)
        counts[split] = queries.num_rows
        if not queries.num_rows:
            continue
        _write_rows(attempt, f"queries/{split}/", queries)
        judged = pc.is_in(dataset.qrels.column("query_id"), value_set=queries.column("query_id"))
        attempt.write_table(f"qrels/{split}.parquet", dataset.qrels.filter(judged))
    return counts


def split_names(dataset: RetrievalDataset) -> NDArray[np.str_]:
    """Each query's split. Where the data says nothing of splits at all, every query with a positive is evaluated; where it
    does, a query that it puts in none is `rest`, whatever its judgements."""
    query_rows, _, grades = dataset.qrels_rows()
    judged = np.zeros(dataset.queries.num_rows, dtype=bool)
    judged[query_rows[grades > 0]] = True
    given = pc.fill_null(dataset.queries.column("split"), "").to_numpy().astype(str)
    default = np.where(judged, "eval" if not np.any(given != "") else "rest", "rest")
    return np.where(given == "", default, given)


def _write_rows(attempt: Attempt, part: str, table: pa.Table) -> None:
    for number, start in enumerate(range(0, table.num_rows, FILE_ROWS)):
        attempt.write_table(f"{part}{number:06d}.parquet", table.slice(start, FILE_ROWS))
