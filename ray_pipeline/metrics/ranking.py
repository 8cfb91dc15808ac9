"""Measures of a whole evaluation set, collected a block of queries at a time.

Which queries count: those with at least one positive. Of these, a query that no block brought counts 0 ("missing"). A
query without positives has no defined value: its values are NaN, it is left out of the means and counted. (trec_eval
would average a query that has only judgements of grade 0 as zero.) The measures themselves are in `metrics.measures`,
the order of a list (ties, NaN scores, repeated documents) in `metrics.ordering`.

Only entries that hit a positive carry information, so each small block of lists becomes a short list of hits at once
(`metrics.qrels`); nothing of size queries x depth outlives its block, and 787,684 queries x 1,000 stream through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.metrics.evaluation_set import EvaluationSet
from ray_pipeline.metrics.measures import Values, ideal_dcg, measure, measure_names
from ray_pipeline.metrics.ordering import ordered_docs
from ray_pipeline.metrics.qrels import Hits, Qrels, block_rows, find_hits
from ray_pipeline.ranking import PAD_DOC, Ranking


@dataclass(frozen=True)
class Counts:
    queries: int  # rows of the judgements
    evaluated: int  # with a positive: the queries the means are over
    without_positives: int
    missing: int  # evaluated, but in no block: counted as 0
    nan_scores: int  # scored NaN: ordered last
    queries_with_nan: int
    depth: int  # the longest list; `map`, `mrr` and every k beyond it see no more than this


@dataclass(frozen=True)
class GroupMeans:
    members: NDArray[np.bool_]  # [Q] its evaluated queries
    means: dict[str, float]  # NaN where the group has none

    @property
    def queries(self) -> int:
        return int(self.members.sum())


@dataclass(frozen=True)
class RankingResult:
    ks: tuple[int, ...]
    values: Values  # by measure, [Q] aligned with query rows; NaN for a query without positives
    evaluated: NDArray[np.bool_]  # [Q]
    means: dict[str, float]
    groups: dict[str, GroupMeans]
    counts: Counts
    evaluation_set: EvaluationSet | None

    def evaluated_values(self, measure: str) -> NDArray[np.float64]:
        """The values of the queries that count, in query order."""
        if measure not in self.values:
            raise DataError(f"measure {measure!r} was not computed; there are {', '.join(self.values)}")
        return self.values[measure][self.evaluated]


class RankingMetrics:
    """Collects measures block by block: `update` for each block of queries, then `result`."""

    def __init__(
        self,
        qrels: Qrels,
        ks: Sequence[int],
        *,
        groups: Mapping[str, NDArray[np.bool_]] | None = None,
        evaluation_set: EvaluationSet | None = None,
    ) -> None:
        if not ks or min(ks) < 1:
            raise SettingsError(f"k list {list(ks)}: give at least one k, each 1 or more")
        self._qrels = qrels
        self._ks = tuple(sorted(set(ks)))
        self._groups = dict(groups or {})
        for name, members in self._groups.items():
            if members.shape != (qrels.queries,) or members.dtype != np.bool_:
                raise DataError(f"group {name!r}: {members.dtype} {members.shape} is not one bool for each of {qrels.queries} queries")
        self._evaluation_set = evaluation_set
        self._ideal = ideal_dcg(qrels, self._ks)
        self._values: Values = {name: np.zeros(qrels.queries) for name in measure_names(self._ks)}
        self._seen = np.zeros(qrels.queries, dtype=bool)
        self._nan_scores = self._queries_with_nan = self._depth = 0

    def update(self, query_rows: NDArray[np.integer], docs: NDArray[np.integer], scores: NDArray[np.floating] | None = None) -> None:
        """Add the lists `docs` [B, K] of `query_rows` [B]; with scores they are put in order first, padding is -1."""
        rows = self._admit(query_rows)
        if docs.ndim != 2 or len(docs) != len(rows) or (scores is not None and scores.shape != docs.shape):
            shapes = f"documents {docs.shape}" + ("" if scores is None else f", scores {scores.shape}")
            raise DataError(f"{len(rows)} queries, {shapes}: give one row a query to each")
        parts, starts = [], range(0, len(rows), block_rows(self._qrels, docs.shape[1]))
        for at in starts:
            block = slice(at, at + starts.step)
            block_scores = None if scores is None else scores[block]
            ordered = ordered_docs(docs[block], block_scores, rows[block])
            self._note(ordered, docs[block], block_scores)
            parts.append(find_hits(ordered, rows[block], self._qrels))
        for name, values in measure(_join_hits(parts, [*starts]), rows, self._qrels, self._ks, self._ideal).items():
            self._values[name][rows] = values

    def result(self) -> RankingResult:
        """Means over every query with a positive, by group as well; per-query values are kept."""
        evaluated = self._qrels.positives > 0
        count = int(evaluated.sum())
        if not count:
            raise DataError(f"none of {len(evaluated)} queries has a document of grade {self._qrels.min_grade} or more")
        values = {name: np.where(evaluated, column, np.nan) for name, column in self._values.items()}
        groups = {name: _group_means(values, members & evaluated) for name, members in self._groups.items()}
        counts = Counts(
            queries=len(evaluated),
            evaluated=count,
            without_positives=len(evaluated) - count,
            missing=int((evaluated & ~self._seen).sum()),
            nan_scores=self._nan_scores,
            queries_with_nan=self._queries_with_nan,
            depth=self._depth,
        )
        means = {name: float(column[evaluated].mean()) for name, column in values.items()}
        return RankingResult(self._ks, values, evaluated, means, groups, counts, self._evaluation_set)

    def _admit(self, query_rows: NDArray[np.integer]) -> NDArray[np.int64]:
        rows = query_rows.astype(np.int64)
        outside = np.flatnonzero((rows < 0) | (rows >= self._qrels.queries))
        if len(outside):
            raise DataError(f"query row {rows[outside[0]]} is outside the {self._qrels.queries} queries of the judgements")
        ordered = np.sort(rows)
        twice = np.concatenate([rows[self._seen[rows]], ordered[1:][ordered[1:] == ordered[:-1]]])
        if len(twice):
            raise DataError(f"query row {twice[0]} is ranked twice; give each query one list")
        self._seen[rows] = True
        return rows

    def _note(self, ordered: NDArray[np.integer], docs: NDArray[np.integer], scores: NDArray[np.floating] | None) -> None:
        """Count NaN scores of real documents, and how deep the lists go."""
        if scores is not None:
            nan = np.isnan(scores)
            if nan.any():
                nan &= docs != PAD_DOC
                self._nan_scores += int(nan.sum())
                self._queries_with_nan += int(nan.any(axis=1).sum())
        if ordered.shape[1] > self._depth and len(ordered):
            # padding is last, so the deepest list ends at the last column that holds any document
            filled = np.flatnonzero((ordered != PAD_DOC).any(axis=0))
            self._depth = max(self._depth, int(filled[-1]) + 1 if len(filled) else 0)


def evaluate_ranking(
    ranking: Ranking,
    qrels: Qrels,
    ks: Sequence[int],
    *,
    groups: Mapping[str, NDArray[np.bool_]] | None = None,
    evaluation_set: EvaluationSet | None = None,
) -> RankingResult:
    """The measures of one ranking that fits in memory."""
    metrics = RankingMetrics(qrels, ks, groups=groups, evaluation_set=evaluation_set)
    metrics.update(ranking.queries, ranking.docs, ranking.scores)
    return metrics.result()


def _group_means(values: Values, members: NDArray[np.bool_]) -> GroupMeans:
    if not members.any():
        return GroupMeans(members, dict.fromkeys(values, float("nan")))
    return GroupMeans(members, {name: float(column[members].mean()) for name, column in values.items()})


def _join_hits(parts: list[Hits], first_rows: list[int]) -> Hits:
    """The hits of consecutive blocks as those of one, whose rows the blocks start at `first_rows`."""
    if not parts:
        return Hits(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32))
    rows = np.concatenate([part.rows + first for part, first in zip(parts, first_rows, strict=True)])
    return Hits(rows, np.concatenate([part.ranks for part in parts]), np.concatenate([part.grades for part in parts]))
