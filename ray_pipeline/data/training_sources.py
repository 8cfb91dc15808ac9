"""Where training rows come from: a prepared split and its judgements, labels a model gave, rows with mined negatives, and
several of these joined.

Only documents that a row names are kept, numbered in the order of the corpus (prepared data) or of first appearance.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.data.columns import rows_of, take_rows, titled_text
from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.data.training_set import QueryColumns, TrainingSet, hashes_of
from ray_pipeline.data.unique_texts import one_array, unique_texts
from ray_pipeline.errors import DataError

_QUERY_COLUMNS: Final = ("query_id", "text", "reasoning")
_CORPUS_BLOCK: Final = 1 << 16


def from_prepared(data: PreparedData, split: str, *, task: str = "") -> TrainingSet:
    """The split's queries with what the judgements call relevant; other rows of a batch are the negatives."""
    queries, docs, grades = data.judgements(split)
    table = data.queries(split).table(_QUERY_COLUMNS)
    return _judged(data, table, queries[grades > 0], docs[grades > 0], task, 1.0)


def from_labels(data: PreparedData, split: str, labels: pa.Table, *, weight: float = 1.0, task: str = "") -> TrainingSet:
    """The queries of `split` that `labels` (query_id, doc_id) names, with these documents as positives: pseudo labels."""
    queries = _known(labels.column("query_id"), data.query_ids(split), f"split {split!r}", data)
    docs = _known(labels.column("doc_id"), data.doc_ids(), "the corpus", data)
    named = np.unique(queries)
    table = take_rows(data.queries(split).table(_QUERY_COLUMNS), named)
    return _judged(data, table, np.searchsorted(named, queries), docs, task, weight)


def concat(parts: Sequence[TrainingSet]) -> TrainingSet:
    """The rows of all parts over their documents together. Groups are found anew: what is known now is known to all."""
    where = "joined training sets"
    query_ids = pa.concat_arrays([part.query_ids for part in parts])
    _no_repeat(query_ids, where)
    documents = unique_texts(
        pa.chunked_array([part.doc_ids for part in parts]), pa.chunked_array([part.documents for part in parts]), "document", where
    )
    names = tuple(dict.fromkeys(name for part in parts for name in part.task_names))
    tasks = [np.array([names.index(name) for name in part.task_names])[part.tasks] for part in parts]
    reasoned = any(part.reasoning is not None for part in parts)
    columns = QueryColumns(
        query_ids,
        pa.concat_arrays([part.queries for part in parts]),
        pa.concat_arrays([pa.nulls(len(part), pa.large_string()) if part.reasoning is None else part.reasoning for part in parts])
        if reasoned
        else None,
        np.concatenate(tasks),
        names,
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.query_hashes for part in parts]),
    )
    hashes = np.concatenate([part.doc_hashes for part in parts])[documents.first]
    starts = np.cumsum([0, *(len(part.doc_ids) for part in parts)])
    codes = [documents.codes[low:high] for low, high in pairwise(starts)]
    positives = _joined([part.positives for part in parts], codes)
    negatives = _joined([part.negatives for part in parts], codes)
    return TrainingSet.of(columns, documents.ids, documents.texts, hashes, positives, negatives, where)


def _judged(data: PreparedData, table: pa.Table, queries: NDArray[np.int64], docs: NDArray[np.int64], task: str, weight: float) -> TrainingSet:
    named = np.unique(docs)
    doc_ids, documents = _documents(data, named)
    columns = QueryColumns.of(
        one_array(table.column("query_id")), one_array(table.column("text")), reasoning=one_array(table.column("reasoning")), task=task, weight=weight
    )
    positives = DocLists.from_pairs(queries, np.searchsorted(named, docs), table.num_rows)
    where = data.artifact.location.uri
    return TrainingSet.of(columns, doc_ids, documents, hashes_of(documents), positives, DocLists.empty(table.num_rows), where)


def _documents(data: PreparedData, rows: NDArray[np.int64]) -> tuple[pa.Array, pa.Array]:
    """Ids and titled texts of the given rising rows of the corpus, block by block: the rest of it is never held."""
    ids, texts = [], []
    for start, block in data.corpus().blocks(_CORPUS_BLOCK, ["doc_id", "text", "title"]):
        low, high = np.searchsorted(rows, [start, start + block.num_rows])
        if low < high:
            taken = take_rows(block, rows[low:high] - start)
            ids.append(one_array(taken.column("doc_id")))
            texts.append(one_array(titled_text(taken)))
    nothing = pa.array([], pa.large_string())
    return pa.concat_arrays([nothing, *ids]), pa.concat_arrays([nothing, *texts])


def _known(ids: pa.ChunkedArray, known: pa.ChunkedArray, what: str, data: PreparedData) -> NDArray[np.int64]:
    rows = rows_of(ids, known)
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        raise DataError(
            f"labels: {ids[int(missing[0])].as_py()!r} is not in {what} of {data.artifact.location.uri} ({len(missing)} of {len(rows)} are not);"
            " make the labels from this data"
        )
    return rows


def _no_repeat(query_ids: pa.Array, where: str) -> None:
    counts = pc.value_counts(query_ids)
    again = pc.index(pc.greater(counts.field("counts"), 1), True).as_py()
    if again >= 0:
        raise DataError(f"{where}: query {counts.field('values')[again].as_py()!r} is in more than one of them; leave it out of all but one")


def _joined(lists: Sequence[DocLists], codes: Sequence[NDArray[np.int64]]) -> DocLists:
    """The lists one after the other, on the joined documents' numbers."""
    indptr = np.concatenate([[0], np.cumsum(np.concatenate([one.counts for one in lists]))])
    docs = np.concatenate([code[one.docs] for one, code in zip(lists, codes, strict=True)])
    if all(one.scores is None for one in lists):
        return DocLists(indptr, docs)
    return DocLists(indptr, docs, np.concatenate([_scores_or_nan(one) for one in lists]))


def _scores_or_nan(lists: DocLists) -> NDArray[np.float32]:
    return np.full(len(lists.docs), np.nan, dtype=np.float32) if lists.scores is None else lists.scores
