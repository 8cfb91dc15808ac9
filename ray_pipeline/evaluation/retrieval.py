"""Measuring a ranking artifact: block by block, with seen and unseen labels apart.

A label is seen if a training query has it. Where the data set has no training split there is nothing to see, and the
two groups are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.data.rows import Rows
from ray_pipeline.metrics.evaluation_set import EvaluationSet
from ray_pipeline.metrics.qrels import Qrels
from ray_pipeline.metrics.ranking import RankingMetrics, RankingResult
from ray_pipeline.ranking import Ranking

_BLOCK_QUERIES = 8192


def split_qrels(data: PreparedData, split: str) -> Qrels:
    """The split's judgements by query row."""
    return Qrels.from_pairs(*data.judgements(split), queries=len(data.queries(split)))


def measure_ranking(data: PreparedData, split: str, ranking: Artifact, qrels: Qrels, ks: Sequence[int]) -> RankingResult:
    """Every measure at every k, streaming over the ranking's files."""
    evaluation_set = EvaluationSet.of(data.query_ids(split).to_pylist(), data.doc_ids().to_pylist(), qrels)
    metrics = RankingMetrics(qrels, ks, groups=label_groups(data, split, qrels), evaluation_set=evaluation_set)
    for _, table in Rows.of(ranking, "ranking/").blocks(_BLOCK_QUERIES):
        block = Ranking.from_table(table)
        metrics.update(block.queries, block.docs, block.scores)
    return metrics.result()


def label_groups(data: PreparedData, split: str, qrels: Qrels) -> dict[str, NDArray[np.bool_]]:
    """Queries with a positive that training has shown, and those without one."""
    if not data.artifact.files("qrels/train.parquet") or split == "train":
        return {}
    _, train_docs, train_grades = data.judgements("train")
    shown = np.isin(qrels.docs, train_docs[train_grades >= qrels.min_grade]) & (qrels.grades >= qrels.min_grade)
    seen = np.bincount(qrels.query_rows[shown], minlength=qrels.queries) > 0
    return {"seen": seen, "unseen": ~seen}


def query_groups(data: PreparedData, split: str) -> NDArray[np.int64]:
    """A number for each query that queries of one group (a question, a paper) share: what an interval resamples."""
    table = data.queries(split).table(["query_id", "group_id"])
    names = [group or query for query, group in zip(*(table.column(name).to_pylist() for name in ("query_id", "group_id")), strict=True)]
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype(np.int64)
