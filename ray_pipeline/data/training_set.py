"""What an embedder is trained on: queries with their known positives and mined negatives, on dense rows.

A row is a query. Its positives are *all* documents known to be relevant, whether a batch draws them or not; its negatives
were mined and are guesses. Scores beside them are a teacher's (NaN where unknown; a list without scores has none at all).

`groups` and `doc_groups` say "equal number, hence relevant" wherever the judgements allow that (see label_groups.py);
`own` is the document that is the query itself, which is neither its positive nor its negative.

Trap: text is kept as `large_string` in one piece, so that taking a batch costs the batch and not the column.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.label_groups import label_groups, own_documents
from ray_pipeline.data.reasoning import REASONING_TEMPLATE, join_reasoning
from ray_pipeline.data.shuffled_labels import strangers
from ray_pipeline.errors import DataError
from ray_pipeline.text.normalise import text_hash


@dataclass(frozen=True, eq=False)
class QueryColumns:
    """What a query brings besides its documents; n rows."""

    ids: pa.Array
    texts: pa.Array
    reasoning: pa.Array | None  # a chain of thought, null where a query has none
    tasks: NDArray[np.int64]  # what the query belongs to (a data set, an instruction), as a place in `task_names`
    task_names: tuple[str, ...]
    weights: NDArray[np.float32]  # of the query's loss
    hashes: NDArray[np.int64]  # of the normalised text

    @classmethod
    def of(cls, ids: pa.Array, texts: pa.Array, *, reasoning: pa.Array | None = None, task: str = "", weight: float = 1.0) -> QueryColumns:
        """Queries of one task and weight."""
        count = len(ids)
        known = None if reasoning is None or reasoning.null_count == count else reasoning
        weights = np.full(count, weight, dtype=np.float32)
        return cls(ids, texts, known, np.zeros(count, dtype=np.int64), (task,), weights, hashes_of(texts))


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """n queries and m documents."""

    query_ids: pa.Array  # [n]
    queries: pa.Array  # [n] texts
    reasoning: pa.Array | None  # [n]
    tasks: NDArray[np.int64]  # [n]
    task_names: tuple[str, ...]
    weights: NDArray[np.float32]  # [n]
    query_hashes: NDArray[np.int64]  # [n]
    doc_ids: pa.Array  # [m]
    documents: pa.Array  # [m] texts
    doc_hashes: NDArray[np.int64]  # [m]
    positives: DocLists  # of n queries; at least one each
    negatives: DocLists  # of n queries
    own: NDArray[np.int64]  # [n] the document that is the query itself, -1
    groups: NDArray[np.int64]  # [n] label group, -1
    doc_groups: NDArray[np.int64]  # [m] label group, -1

    @classmethod
    def of(
        cls,
        queries: QueryColumns,
        doc_ids: pa.Array,
        documents: pa.Array,
        doc_hashes: NDArray[np.int64],
        positives: DocLists,
        negatives: DocLists,
        where: object,
    ) -> TrainingSet:
        """The set, checked: at least one query, a positive for each, itself none of them, and none of them among its negatives."""
        if not len(queries.ids):
            raise DataError(f"{where}: there is no query to train on")
        bare = np.flatnonzero(positives.counts == 0)
        if len(bare):
            raise DataError(
                f"{where}: query {queries.ids[int(bare[0])].as_py()!r} has no positive ({len(bare)} of {len(queries.ids)} queries have none);"
                " give it one or leave it out of the training split"
            )
        own = own_documents(queries.ids, queries.hashes, doc_ids, doc_hashes)
        itself = np.flatnonzero(positives.docs == own[positives.rows()])
        if len(itself):
            name = doc_ids[int(positives.docs[itself[0]])].as_py()
            raise DataError(f"{where}: query {name!r} is its own positive ({len(itself)} queries are), which teaches nothing; remove that judgement")
        _no_positive_among_negatives(queries.ids, doc_ids, positives, negatives, where)
        groups, doc_groups = label_groups(positives, own, len(doc_ids))
        return cls(
            queries.ids,
            queries.texts,
            queries.reasoning,
            queries.tasks,
            queries.task_names,
            queries.weights,
            queries.hashes,
            doc_ids,
            documents,
            doc_hashes,
            positives,
            negatives,
            own,
            groups,
            doc_groups,
        )

    def __len__(self) -> int:
        return len(self.query_ids)

    @property
    def has_teacher_scores(self) -> bool:
        return self.positives.scores is not None or self.negatives.scores is not None

    def taught(self) -> NDArray[np.bool_]:
        """[n] whether the teacher scored two documents of the query that a batch can draw together: an order to learn."""
        # of the positives a batch draws one, of the negatives any number
        positives, negatives = (
            np.zeros(len(self), dtype=np.int64) if one.scores is None else np.bincount(one.rows()[~np.isnan(one.scores)], minlength=len(self))
            for one in (self.positives, self.negatives)
        )
        return np.minimum(positives, 1) + negatives >= 2

    def join_reasoning(self, template: str = REASONING_TEMPLATE) -> TrainingSet:
        """The queries joined with their chains of thought; refused where one is missing."""
        texts = join_reasoning(self.query_ids, self.queries, self.reasoning, template)
        return dataclasses.replace(self, queries=texts, reasoning=None, query_hashes=hashes_of(texts))

    def subset(self, rows: NDArray[np.int64]) -> TrainingSet:
        """The given queries, in that order, over the same documents and with the same groups."""
        if not len(rows):
            raise DataError("no query is left to train on")
        taken = pa.array(rows)
        return dataclasses.replace(
            self,
            query_ids=self.query_ids.take(taken),
            queries=self.queries.take(taken),
            reasoning=None if self.reasoning is None else self.reasoning.take(taken),
            tasks=self.tasks[rows],
            weights=self.weights[rows],
            query_hashes=self.query_hashes[rows],
            positives=self.positives.take(rows),
            negatives=self.negatives.take(rows),
            own=self.own[rows],
            groups=self.groups[rows],
        )

    def shuffled_labels(self, seed: int) -> TrainingSet:
        """The control that must not learn: each query gets the positives of another query with other labels, each list once.

        Every label keeps its number of queries. Scores of positives are dropped, they belonged to other pairs; so is a
        negative that has become a positive.
        """
        moved = self.positives.take(strangers(self.positives, self.own, len(self.doc_ids), seed))
        positives = DocLists(moved.indptr, moved.docs)
        clean = ~_among(self.negatives, positives, len(self.doc_ids))
        scores = self.negatives.scores
        negatives = DocLists.from_pairs(
            self.negatives.rows()[clean], self.negatives.docs[clean], len(self), None if scores is None else scores[clean]
        )
        groups, doc_groups = label_groups(positives, self.own, len(self.doc_ids))
        return dataclasses.replace(self, positives=positives, negatives=negatives, groups=groups, doc_groups=doc_groups)


def hashes_of(texts: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """`text_hash` as the signed numbers that tensors hold."""
    return text_hash(texts).view(np.int64)


def _among(lists: DocLists, others: DocLists, doc_count: int) -> NDArray[np.bool_]:
    """[P] whether each document of `lists` stands in the same query's list of `others`."""
    found: NDArray[np.bool_] = np.isin(lists.rows() * doc_count + lists.docs, others.rows() * doc_count + others.docs)
    return found


def _no_positive_among_negatives(query_ids: pa.Array, doc_ids: pa.Array, positives: DocLists, negatives: DocLists, where: object) -> None:
    both = np.flatnonzero(_among(negatives, positives, len(doc_ids)))
    if len(both):
        query, doc = query_ids[int(negatives.rows()[both[0]])].as_py(), doc_ids[int(negatives.docs[both[0]])].as_py()
        raise DataError(
            f"{where}: document {doc!r} is both a positive and a negative of query {query!r} ({len(both)} such pairs);"
            " mine the negatives again with these positives known, or remove them"
        )
