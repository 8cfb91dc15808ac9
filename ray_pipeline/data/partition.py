"""A data set's queries divided into training and evaluation, and what the division means for its labels.

Only queries with a positive are divided; the others belong to no split. Groups stay whole: a query without a group id is a
group of its own. A label is a document that some query has as a positive. An evaluation query is *seen* when one of its
labels is a label of a training query too.

Trap: a query in no split can still belong to a group of the evaluation side (an unlabelled wrong answer of an evaluation
question); who trains on such queries must leave those out. The report counts them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.data.dataset import RetrievalDataset, build_dataset
from ray_pipeline.data.splits import EVAL, k_fold, seen_labels, split_by_group, split_shuffled
from ray_pipeline.errors import DataError


@dataclass(frozen=True)
class SplitReport:
    """The sides of a division in numbers."""

    train_queries: int
    eval_queries: int
    unsplit_queries: int
    unsplit_queries_of_eval_groups: int
    train_labels: int
    eval_labels: int
    seen_eval_labels: int
    unseen_eval_labels: int
    seen_eval_queries: int
    unseen_eval_queries: int

    def to_json(self) -> dict[str, int]:
        return dataclasses.asdict(self)


def shuffle_dataset(dataset: RetrievalDataset, eval_share: float, seed: int) -> RetrievalDataset:
    """`dataset` with the split of `split_shuffled`."""
    queries, groups, _ = _divisible(dataset)
    return _with_sides(dataset, queries, split_shuffled(groups, eval_share, seed) == EVAL)


def split_dataset(dataset: RetrievalDataset, eval_share: float, seed: int, *, stratified: bool = False) -> RetrievalDataset:
    """`dataset` with a new split: about `eval_share` of the queries that have positives are for evaluation."""
    queries, groups, labels = _divisible(dataset)
    sides = split_by_group(groups, eval_share, seed, labels if stratified else None)
    return _with_sides(dataset, queries, sides == EVAL)


def fold_dataset(dataset: RetrievalDataset, folds: int, fold: int, seed: int, *, stratified: bool = False) -> RetrievalDataset:
    """`dataset` with fold `fold` (from 0) of `folds` for evaluation and the others for training."""
    if not 0 <= fold < folds:
        raise DataError(f"fold {fold} of {folds}: folds count from 0 to {folds - 1}")
    queries, groups, labels = _divisible(dataset)
    assigned = k_fold(groups, folds, seed, labels if stratified else None)
    return _with_sides(dataset, queries, assigned == fold)


def train_on_all(dataset: RetrievalDataset) -> RetrievalDataset:
    """`dataset` with every query that has positives for training."""
    queries, _, _ = _divisible(dataset)
    return _with_sides(dataset, queries, np.zeros(len(queries), dtype=bool))


def tuning_dataset(dataset: RetrievalDataset, folds: int, fold: int, seed: int) -> RetrievalDataset:
    """`dataset` for choosing settings: the groups it evaluates are taken out, with all their queries, and fold `fold` of what
    it trains on is evaluated in their stead."""
    if not 0 <= fold < folds:
        raise DataError(f"fold {fold} of {folds}: folds count from 0 to {folds - 1}")
    is_eval = pa.array(_side(dataset, "eval"))
    if not pc.any(is_eval).as_py():
        raise DataError(
            "data.tuning: nothing is evaluated, so nothing is to be kept from the choice of settings; give data.split a share to evaluate"
        )
    groups = _groups(dataset)
    kept = dataset.queries.filter(pc.invert(pc.is_in(groups, value_set=groups.filter(is_eval).combine_chunks())))
    judged = pc.is_in(dataset.qrels.column("query_id"), value_set=kept.column("query_id").combine_chunks())
    surrogates = dataset.report.replaced_surrogates
    inner = build_dataset(dataset.corpus, kept, dataset.qrels.filter(judged), "the training side", replaced_surrogates=surrogates)
    queries = np.flatnonzero(_side(inner, "train"))
    return _with_sides(inner, queries, k_fold(_groups(inner).take(pa.array(queries)), folds, seed) == fold)


def seen_queries(dataset: RetrievalDataset) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The rows of the evaluation queries that have positives, and which of them are seen."""
    queries, labels = _positives(dataset)
    is_train, is_eval = _side(dataset, "train"), _side(dataset, "eval")
    of_eval = is_eval[queries]
    seen = seen_labels(labels[is_train[queries]], labels[of_eval])
    rows, place = np.unique(queries[of_eval], return_inverse=True)
    return rows, np.bincount(place, weights=seen, minlength=len(rows)) > 0


def split_report(dataset: RetrievalDataset) -> SplitReport:
    """The numbers of the split that `dataset` has."""
    queries, labels = _positives(dataset)
    is_train, is_eval = _side(dataset, "train"), _side(dataset, "eval")
    train_labels, eval_labels = np.unique(labels[is_train[queries]]), np.unique(labels[is_eval[queries]])
    label_seen = seen_labels(train_labels, eval_labels)
    _, query_seen = seen_queries(dataset)
    groups = _groups(dataset)
    unsplit = ~(is_train | is_eval)
    eval_groups = groups.filter(pa.array(is_eval)).combine_chunks()
    in_eval_group = pc.is_in(groups, value_set=eval_groups).to_numpy()
    return SplitReport(
        train_queries=int(is_train.sum()),
        eval_queries=int(is_eval.sum()),
        unsplit_queries=int(unsplit.sum()),
        unsplit_queries_of_eval_groups=int((unsplit & in_eval_group).sum()),
        train_labels=len(train_labels),
        eval_labels=len(eval_labels),
        seen_eval_labels=int(label_seen.sum()),
        unseen_eval_labels=int((~label_seen).sum()),
        seen_eval_queries=int(query_seen.sum()),
        unseen_eval_queries=int((~query_seen).sum()),
    )


def _positives(dataset: RetrievalDataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Query row and document row of every judgement above zero."""
    queries, docs, grades = dataset.qrels_rows()
    return queries[grades > 0], docs[grades > 0]


def _divisible(dataset: RetrievalDataset) -> tuple[NDArray[np.int64], pa.ChunkedArray, NDArray[np.int64]]:
    """The queries with positives, the group of each, and its first label."""
    queries, labels = _positives(dataset)
    rows, first = np.unique(queries, return_index=True)
    return rows, _groups(dataset).take(pa.array(rows)), labels[first]


def _groups(dataset: RetrievalDataset) -> pa.ChunkedArray:
    return pc.coalesce(dataset.queries.column("group_id"), dataset.query_ids)


def _side(dataset: RetrievalDataset, side: str) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(pc.equal(dataset.queries.column("split"), side), False).to_numpy(), dtype=np.bool_)


def _with_sides(dataset: RetrievalDataset, queries: NDArray[np.int64], for_eval: NDArray[np.bool_]) -> RetrievalDataset:
    codes = np.full(dataset.queries.num_rows, -1, dtype=np.int64)
    codes[queries] = for_eval
    split = pa.array(["train", "eval"]).take(pa.array(codes, mask=codes < 0))
    place = dataset.queries.schema.get_field_index("split")
    return dataset.with_queries(dataset.queries.set_column(place, dataset.queries.schema.field("split"), split))
