"""Small training sets, written as lists of document numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.training_set import QueryColumns, TrainingSet, hashes_of

Lists = Sequence[Sequence[int]]
MakeSet = Callable[..., TrainingSet]


def strings(values: Sequence[str]) -> pa.Array:
    return pa.array(values, pa.large_string())


def lists_of(lists: Lists, scores: Sequence[Sequence[float]] | None = None) -> DocLists:
    indptr = np.cumsum([0, *map(len, lists)])
    docs = np.array([doc for one in lists for doc in one], dtype=np.int64)
    flat = None if scores is None else np.array([score for one in scores for score in one], dtype=np.float32)
    return DocLists(indptr, docs, flat)


@pytest.fixture(scope="session")
def made_set() -> MakeSet:
    """Query i is `q<i>` with text `query <i>`, document j is `d<j>` with text `document <j>`, unless other ids or texts are given."""

    def make(
        positives: Lists,
        negatives: Lists | None = None,
        *,
        documents: int = 0,
        query_ids: Sequence[str] | None = None,
        query_texts: Sequence[str] | None = None,
        doc_ids: Sequence[str] | None = None,
        doc_texts: Sequence[str] | None = None,
        reasoning: Sequence[str | None] | None = None,
        tasks: Sequence[int] | None = None,
        positive_scores: Sequence[Sequence[float]] | None = None,
        negative_scores: Sequence[Sequence[float]] | None = None,
    ) -> TrainingSet:
        queries = len(positives)
        count = max([documents, *(doc + 1 for one in (*positives, *(negatives or [])) for doc in one)], default=1)
        names = strings(query_ids or [f"q{at}" for at in range(queries)])
        texts = strings(query_texts or [f"query {at}" for at in range(queries)])
        columns = QueryColumns.of(names, texts, reasoning=None if reasoning is None else pa.array(reasoning, pa.large_string()))
        if tasks is not None:
            named = tuple(f"task {at}" for at in range(max(tasks) + 1))
            columns = QueryColumns(names, texts, columns.reasoning, np.array(tasks), named, columns.weights, columns.hashes)
        ids = strings(doc_ids or [f"d{at}" for at in range(count)])
        docs = strings(doc_texts or [f"document {at}" for at in range(count)])
        right = lists_of(positives, positive_scores)
        wrong = DocLists.empty(queries) if negatives is None else lists_of(negatives, negative_scores)
        return TrainingSet.of(columns, ids, docs, hashes_of(docs), right, wrong, "made")

    return make
