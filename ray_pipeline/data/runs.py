"""TREC runs: what a system retrieved, as lines of `query Q0 document rank score tag`, or in three columns `query document
score`.

Read as trec_eval reads it: the rank column and the order of lines mean nothing, documents are ordered by score (in 32 bits)
descending and then by document id descending. Stricter than it: a query or document that the data set has not, a document
that a query retrieves twice and a score that is no finite number are errors.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.data.columns import rows_of
from ray_pipeline.data.files import byte_lines, decoded, writing
from ray_pipeline.data.located import TableBuilder, place_of
from ray_pipeline.data.row import FLOAT32_LIMIT
from ray_pipeline.data.trec import trec_id
from ray_pipeline.errors import DataError
from ray_pipeline.ranking import PAD_DOC, Ranking

_COLUMNS: Final = {3: "query id, document id, score", 6: "query id, Q0, document id, rank, score, tag"}
# Python's float() takes more than numbers in files are: "nan", "inf", "1_000".
_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_RUN: Final = pa.schema([("query_id", pa.string()), ("doc_id", pa.string()), ("score", pa.float32())])


def read_run(path: str, query_ids: pa.ChunkedArray, doc_ids: pa.ChunkedArray) -> Ranking:
    """The run in `path` over a data set with these ids (documents sorted by id). Queries without a line are not in the ranking."""
    run = _read_lines(path)
    queries = _known(run, "query_id", query_ids, "query", path)
    docs = _known(run, "doc_id", doc_ids, "document", path)
    scores = run.column("score").to_numpy()
    _refuse_repeats(run, queries, docs, path)
    order = np.lexsort((-docs, -scores, queries))
    retrieved, lengths = np.unique(queries, return_counts=True)
    filled = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
    ranked = np.full(filled.shape, PAD_DOC, dtype=np.int64)
    ranked_scores = np.full(filled.shape, -np.inf, dtype=np.float32)
    ranked[filled] = docs[order]
    ranked_scores[filled] = scores[order]
    return Ranking(retrieved, ranked, ranked_scores)


def write_run(ranking: Ranking, query_ids: pa.ChunkedArray, doc_ids: pa.ChunkedArray, path: str, tag: str) -> None:
    """`ranking` as a six-column run; scores keep nine digits, which hold 32 bits exactly."""
    trec_id(tag)
    with writing(path) as stream:
        for query, docs, scores in zip(ranking.queries, ranking.docs, ranking.scores, strict=True):
            name = trec_id(query_ids[int(query)].as_py())
            kept = docs != PAD_DOC
            if not np.all(np.isfinite(scores[kept])):
                raise DataError(f"query {name!r}: a score is not finite; a run cannot hold it")
            names = doc_ids.take(pa.array(docs[kept])).to_pylist()
            for rank, (document, score) in enumerate(zip(names, scores[kept].tolist(), strict=True), start=1):
                stream.write(f"{name} Q0 {trec_id(document)} {rank} {score:.9g} {tag}\n".encode())


def _read_lines(path: str) -> pa.Table:
    builder = TableBuilder(_RUN)
    width = 0
    for number, line in byte_lines(path):
        cells = line.split()
        if len(cells) != width and (width or len(cells) not in _COLUMNS):
            wanted = _COLUMNS.get(width) or " or ".join(_COLUMNS.values())
            raise DataError.at(path, number, f"the line has {len(cells)} columns, not {wanted}")
        width = len(cells)
        query_id, doc_id, score = (cells[0], cells[2], cells[4]) if width == 6 else (cells[0], cells[1], cells[2])
        if not _NUMBER.fullmatch(score) or not abs(float(score)) < FLOAT32_LIMIT:
            raise DataError.at(path, number, f"the score {decoded(score, path, number)!r} is not a finite 32-bit number")
        builder.add_at(path, number, decoded(query_id, path, number), decoded(doc_id, path, number), float(score))
    return builder.finish()


def _known(run: pa.Table, column: str, ids: pa.ChunkedArray, thing: str, path: str) -> NDArray[np.int64]:
    rows = rows_of(run.column(column), ids)
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        first = int(missing[0])
        raise DataError(
            f"{place_of(run, first, path)}: the data set has no {thing} {run.column(column)[first].as_py()!r}"
            f" ({len(missing)} of {len(rows)} lines name an unknown one; was the run made on this data set?)"
        )
    return rows


def _refuse_repeats(run: pa.Table, queries: NDArray[np.int64], docs: NDArray[np.int64], path: str) -> None:
    order = np.lexsort((docs, queries))
    again = (queries[order][1:] == queries[order][:-1]) & (docs[order][1:] == docs[order][:-1])
    repeats = order[1:][again]
    if len(repeats):
        row = int(repeats.min())
        query, document = (run.column(name)[row].as_py() for name in ("query_id", "doc_id"))
        raise DataError(f"{place_of(run, row, path)}: query {query!r} retrieves document {document!r} a second time; keep one line")
