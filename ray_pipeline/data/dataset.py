"""A retrieval data set: a corpus, queries, and which documents each query has.

`build_dataset` is the one gate: every reader and generator ends in it, so everything later may lean on what it promises. The
corpus is sorted by doc_id in UTF-8 byte order (row number = rank of the id: see `schemas`), queries keep the order of their
file, ids are unique and not empty, and every judgement names a query and a document that exist.

Rules for odd input: null text is an error; empty text (or only white space) is kept and counted; an empty title is no title;
the same judgement given twice counts once; two different grades for one pair are an error, as are judgements of unknown
queries or documents.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.data.columns import rows_of, take_rows
from ray_pipeline.data.fields import COLUMN
from ray_pipeline.data.located import place_of
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import CORPUS, QRELS, QUERIES, conform

SPLITS: Final = ("train", "eval")


@dataclass(frozen=True)
class DataReport:
    """What a data set holds and what was noticed while it was read."""

    documents: int
    queries: int
    judgements: int
    empty_documents: int  # no text, or only white space
    empty_queries: int
    repeated_texts: int  # documents whose text an earlier document has too
    repeated_judgements: int  # dropped: the same pair with the same grade
    queries_without_positives: int
    replaced_surrogates: int

    def to_json(self) -> dict[str, int]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class RetrievalDataset:
    """Tables of the CORPUS, QUERIES and QRELS schemas that `build_dataset` has checked. Where documents have fields, the corpus has a
    column `fields` of JSON beside."""

    corpus: pa.Table
    queries: pa.Table
    qrels: pa.Table
    report: DataReport

    @property
    def doc_ids(self) -> pa.ChunkedArray:
        return self.corpus.column("doc_id")

    @property
    def query_ids(self) -> pa.ChunkedArray:
        return self.queries.column("query_id")

    def qrels_rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """The judgements as rows: query rows, document rows, grades, in the order of `qrels`."""
        query_rows = rows_of(self.qrels.column("query_id"), self.query_ids)
        doc_rows = rows_of(self.qrels.column("doc_id"), self.doc_ids)
        return query_rows, doc_rows, self.qrels.column("grade").to_numpy()

    def with_queries(self, queries: pa.Table) -> RetrievalDataset:
        """The same data with other columns for the same queries (a split, say)."""
        if not queries.column("query_id").equals(self.query_ids):
            raise ValueError("the queries differ; build a new data set instead")
        return dataclasses.replace(self, queries=conform(queries, QUERIES, "queries"))


def build_dataset(corpus: pa.Table, queries: pa.Table, qrels: pa.Table, where: object, *, replaced_surrogates: int = 0) -> RetrievalDataset:
    """Check the three tables against their schemas and each other. `where` names the source of rows that do not know their place."""
    sorted_corpus = _prepared_corpus(corpus, where)
    prepared_queries = _prepared_queries(queries, where)
    judgements = conform(qrels, QRELS, where)
    query_rows = _known_rows(qrels, "query_id", prepared_queries.column("query_id"), "query", where)
    doc_rows = _known_rows(qrels, "doc_id", sorted_corpus.column("doc_id"), "document", where)
    grades = judgements.column("grade").to_numpy()
    kept = _distinct_judgements(query_rows * sorted_corpus.num_rows + doc_rows, grades, qrels, where)
    repeated = judgements.num_rows - len(kept)
    if repeated:
        judgements, query_rows, grades = take_rows(judgements, kept), query_rows[kept], grades[kept]
    judged = np.zeros(prepared_queries.num_rows, dtype=bool)
    judged[query_rows[grades > 0]] = True
    texts = sorted_corpus.column("text")
    report = DataReport(
        documents=sorted_corpus.num_rows,
        queries=prepared_queries.num_rows,
        judgements=judgements.num_rows,
        empty_documents=_count_empty(texts),
        empty_queries=_count_empty(prepared_queries.column("text")),
        repeated_texts=sorted_corpus.num_rows - pc.count_distinct(texts).as_py(),
        repeated_judgements=repeated,
        queries_without_positives=int((~judged).sum()),
        replaced_surrogates=replaced_surrogates,
    )
    return RetrievalDataset(sorted_corpus, prepared_queries, judgements, report)


def _prepared_corpus(corpus: pa.Table, where: object) -> pa.Table:
    if not corpus.num_rows:
        raise DataError(f"{where}: the corpus holds no document")
    table = conform(corpus, CORPUS, where)
    if COLUMN in corpus.column_names and corpus.column(COLUMN).null_count < corpus.num_rows:
        table = table.append_column(COLUMN, corpus.column(COLUMN).cast(pa.string()))
    order = _order_of_unique(table.column("doc_id"), corpus, where)
    if not np.array_equal(order, np.arange(len(order))):
        table = take_rows(table, order)
    title = table.column("title")
    return table.set_column(2, CORPUS.field("title"), pc.if_else(pc.equal(title, ""), pa.scalar(None, pa.string()), title))


def _prepared_queries(queries: pa.Table, where: object) -> pa.Table:
    table = conform(queries, QUERIES, where)
    _order_of_unique(table.column("query_id"), queries, where)
    split = table.column("split")
    unknown = pc.invert(pc.is_in(split, value_set=pa.array([*SPLITS, None], pa.string())))
    if pc.any(unknown).as_py():
        row = pc.index(unknown, True).as_py()
        raise DataError(f"{place_of(queries, row, where)}: split {split[row].as_py()!r} is neither 'train', 'eval' nor null")
    return table


def _order_of_unique(ids: pa.ChunkedArray, source: pa.Table, where: object) -> NDArray[np.int64]:
    """The rows of `ids` in byte order; an id that is empty or occurs twice is an error."""
    order: NDArray[np.int64] = pc.sort_indices(ids).to_numpy().astype(np.int64)
    if not len(order):
        return order
    name = "doc_id" if "doc_id" in source.column_names else "query_id"
    if ids[order[0]].as_py() == "":
        raise DataError(f"{place_of(source, int(order[0]), where)}: the {name} is empty")
    in_order = ids.take(pa.array(order))
    again = pc.equal(in_order.slice(1), in_order.slice(0, len(order) - 1))
    repeats = np.flatnonzero(again.to_numpy())
    if len(repeats):
        # The sort is stable, so the later row of each pair stands second; report the earliest of them.
        at = repeats[np.argmin(order[repeats + 1])]
        first, later = int(order[at]), int(order[at + 1])
        raise DataError(
            f"{place_of(source, later, where)}: {name} {ids[later].as_py()!r} was used before, at {place_of(source, first, where)}"
            f" ({len(repeats)} repeats in all; ids must be unique)"
        )
    return order


def _known_rows(qrels: pa.Table, name: str, known: pa.ChunkedArray, thing: str, where: object) -> NDArray[np.int64]:
    rows = rows_of(qrels.column(name), known)
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        first = int(missing[0])
        raise DataError(
            f"{place_of(qrels, first, where)}: judgement of the {thing} {qrels.column(name)[first].as_py()!r}, which does not exist"
            f" ({len(missing)} of {len(rows)} judgements name an unknown {thing}; add it or remove them)"
        )
    return rows


def _distinct_judgements(pairs: NDArray[np.int64], grades: NDArray[np.int32], qrels: pa.Table, where: object) -> NDArray[np.int64]:
    """The rows that bring a new pair, in file order; the same pair with two grades is an error."""
    if np.all(pairs[1:] > pairs[:-1]):
        return np.arange(len(pairs))
    order = np.argsort(pairs, kind="stable")
    starts = np.concatenate([[True], pairs[order][1:] != pairs[order][:-1]])
    first_of = order[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    clash = np.flatnonzero(grades[order] != grades[first_of])
    if len(clash):
        at = clash[np.argmin(order[clash])]
        later, first = int(order[at]), int(first_of[at])
        query, document = (qrels.column(name)[later].as_py() for name in ("query_id", "doc_id"))
        raise DataError(
            f"{place_of(qrels, later, where)}: query {query!r} and document {document!r} have grade {grades[later]} here"
            f" and {grades[first]} at {place_of(qrels, first, where)}; keep one"
        )
    return np.sort(order[starts])


def _count_empty(texts: pa.ChunkedArray) -> int:
    blank = pc.or_(pc.equal(pc.binary_length(texts), 0), pc.utf8_is_space(texts))
    return int(pc.sum(blank).as_py() or 0)
