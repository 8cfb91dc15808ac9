"""A data set out of training rows: each row a query, its positive texts and its negative texts (the GROUPS table).

The corpus is every positive and negative, one document an id. Where a file gives no id, a document is named by its text,
`t-` and 16 hex digits of its SHA-256, and a query likewise by `q-`: the same text is then the same document in every file
and run. One id with two texts is an error. Positives become judgements of grade 1; negatives none, since a mined negative is
a guess and not a judgement.

Trap: rows may come in the millions, so everything here is done on columns.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.data.columns import take_rows
from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.located import FILE, LINE, place_of
from ray_pipeline.data.row import Row
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import GROUPS

_QUERY_EXTRAS: Final = ("group_id", "reasoning", "split")
# What a row's reader may know beyond a training group; `dataset_of_groups` hands it on to the queries.
SOURCE_ROWS: Final = pa.schema([*GROUPS, *(pa.field(name, pa.string()) for name in _QUERY_EXTRAS)])


def content_id(prefix: str, text: str) -> str:
    """The id of a text that has none of its own."""
    return f"{prefix}-{hashlib.sha256(text.encode('utf-8')).hexdigest()[:16]}"


def scored_texts(row: Row, texts: str, ids: str, scores: str | None = None) -> list[dict[str, Any]]:
    """The {id, text, teacher_score} of one list of `row`, from its fields of texts, ids and scores; the latter two may be absent."""
    written = row.texts(texts)
    given_ids, given_scores = row.identifiers(ids), row.scores(scores) if scores else []
    for name, values in ((ids, given_ids), (scores, given_scores)):
        if values and len(values) != len(written):
            raise row.error(f"{name} has {len(values)} entries and {texts} has {len(written)}", "they must be parallel, or one left out")
    names = given_ids or [content_id("t", text) for text in written]
    known = given_scores or [None] * len(written)
    return [{"id": name, "text": text, "teacher_score": score} for name, text, score in zip(names, written, known, strict=True)]


def dataset_of_groups(groups: pa.Table, where: object, *, replaced_surrogates: int = 0) -> RetrievalDataset:
    """The data set that `groups` (GROUPS, perhaps with SOURCE_ROWS' further columns and places) speaks of."""
    named = _with_query_ids(groups)
    queries = _folded(named, "query_id", ("query", "group_id"), named, where).rename_columns({"query": "text"})
    positives, positive_rows = _flattened(groups.column("positives"))
    negatives, negative_rows = _flattened(groups.column("negatives"))
    places = _places_of_rows(groups, np.concatenate([positive_rows, negative_rows]))
    corpus = _folded(pa.concat_tables([positives, negatives]), "doc_id", ("text",), places, where)
    qrels = pa.table(
        {
            "query_id": named.column("query_id").take(pa.array(positive_rows)),
            "doc_id": positives.column("doc_id"),
            "grade": pa.array(np.ones(len(positive_rows), dtype=np.int32)),
        }
    )
    return build_dataset(corpus, queries, qrels, where, replaced_surrogates=replaced_surrogates)


def _with_query_ids(groups: pa.Table) -> pa.Table:
    """`groups` as queries: id (given or made from the text), text, and what else is known of them, places included."""
    given, texts = groups.column("query_id"), groups.column("query")
    if given.null_count:
        made = pa.chunked_array([pa.array([content_id("q", text) for text in chunk.to_pylist()], pa.string()) for chunk in texts.chunks], pa.string())
        given = pc.coalesce(given, made)
    kept = [name for name in ("query", *_QUERY_EXTRAS, FILE, LINE) if name in groups.column_names]
    return groups.select(kept).add_column(0, "query_id", given)


def _flattened(lists: pa.ChunkedArray) -> tuple[pa.Table, NDArray[np.int64]]:
    """The {id, text, ...} structs of a list column as a table, and the row that each came from."""
    items = pc.list_flatten(lists)
    rows = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    return pa.table({"doc_id": pc.struct_field(items, "id"), "text": pc.struct_field(items, "text")}), rows


def _places_of_rows(groups: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    """Where each of `rows` was read; a table without places keeps the row numbers in their stead."""
    if LINE in groups.column_names:
        return groups.select([FILE, LINE]).take(pa.array(rows))
    return pa.table({"row": rows})


def _folded(table: pa.Table, key: str, same: tuple[str, ...], places: pa.Table, where: object) -> pa.Table:
    """The first row of each `key`; a later row that differs from it in a column of `same` is an error at its place."""
    encoded = table.column(key).combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy().astype(np.int64)
    first = np.empty(len(encoded.dictionary), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    if len(first) == len(codes):
        return table
    again = np.flatnonzero(first[codes] != np.arange(len(codes)))
    for name in same:
        if name not in table.column_names:
            continue
        column = table.select([name])
        later, earlier = (take_rows(column, rows).column(0) for rows in (again, first[codes[again]]))
        # Nulls compare as equal to each other and to nothing else.
        equal = pc.or_kleene(pc.fill_null(pc.equal(later, earlier), False), pc.and_(pc.is_null(later), pc.is_null(earlier)))
        if not pc.all(equal, min_count=0).as_py():
            row = int(again[pc.index(equal, False).as_py()])
            before = int(first[codes[row]])
            raise DataError(
                f"{place_of(places, row, where)}: {key} {table.column(key)[row].as_py()!r} has another {name} at {place_of(places, before, where)};"
                " one id must always mean the same"
            )
    return take_rows(table, np.sort(first))
