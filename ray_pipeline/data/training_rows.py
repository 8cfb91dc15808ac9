"""Training rows with negatives (the GROUPS table) as a training set.

A query is one row: rows with the same query id (given, or made from the text) are joined, their positives and negatives
with them, so that no positive of a query is ever its negative through another row. A document is known by its id. A teacher's
scores are kept; of a pair given twice the first known score counts. The `prompt` of a row is its task.

Trap: rows may come in the millions with a dozen documents each, so everything here is done on columns.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.groups import content_id
from ray_pipeline.data.training_set import QueryColumns, TrainingSet, hashes_of
from ray_pipeline.data.unique_texts import UniqueTexts, one_array, unique_texts
from ray_pipeline.errors import DataError
from ray_pipeline.schemas import GROUPS, conform


def from_groups(groups: pa.Table, where: object, *, task: str = "") -> TrainingSet:
    """The training set of `groups`; a column `reasoning` beside GROUPS' own is kept. `task` names rows without a prompt."""
    table = conform(groups, GROUPS, where)
    queries = unique_texts(_query_ids(table), table.column("query"), "query", where)
    sides = [pc.list_flatten(table.column(name)) for name in ("positives", "negatives")]
    ids, texts = (
        pa.chunked_array([chunk for items in sides for chunk in pc.struct_field(items, name).chunks], pa.string()) for name in ("id", "text")
    )
    documents = unique_texts(ids, texts, "document", where)
    count = len(queries.ids)
    owners = [queries.codes[pc.list_parent_indices(table.column(name)).to_numpy()] for name in ("positives", "negatives")]
    lists = []
    for items, owner, codes in zip(sides, owners, np.split(documents.codes, [len(sides[0])]), strict=True):
        lists.append(DocLists.from_pairs(owner, codes, count, _scores(pc.struct_field(items, "teacher_score"))))
    reasoning = groups.column("reasoning") if "reasoning" in groups.column_names else pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    columns = _query_columns(queries, reasoning, pc.fill_null(table.column("prompt"), task), where)
    return TrainingSet.of(columns, documents.ids, documents.texts, hashes_of(documents.texts), lists[0], lists[1], where)


def _query_ids(table: pa.Table) -> pa.ChunkedArray:
    """Each row's query id: given, or made from the text."""
    given = table.column("query_id")
    if not given.null_count:
        return given
    made = [pa.array([content_id("q", text) for text in chunk.to_pylist()], pa.string()) for chunk in table.column("query").chunks]
    return pc.coalesce(given, pa.chunked_array(made, pa.string()))


def _query_columns(queries: UniqueTexts, reasoning: pa.ChunkedArray, prompts: pa.ChunkedArray, where: object) -> QueryColumns:
    encoded = one_array(prompts).dictionary_encode()
    tasks = encoded.indices.to_numpy().astype(np.int64)
    of_query = tasks[queries.first]
    other = np.flatnonzero(of_query[queries.codes] != tasks)
    if len(other):
        name = queries.ids[int(queries.codes[other[0]])].as_py()
        raise DataError(f"{where}: query {name!r} has two prompts ({len(other)} rows differ from an earlier one); give the query an id a prompt")
    one = QueryColumns.of(queries.ids, queries.texts, reasoning=one_array(reasoning).take(pa.array(queries.first)))
    return QueryColumns(one.ids, one.texts, one.reasoning, of_query, tuple(encoded.dictionary.to_pylist()), one.weights, one.hashes)


def _scores(column: pa.ChunkedArray) -> NDArray[np.float32] | None:
    """NaN where a score is not given; none at all where no score is."""
    if column.null_count == len(column):
        return None
    return np.asarray(pc.fill_null(column, float("nan")).to_numpy(), dtype=np.float32)
