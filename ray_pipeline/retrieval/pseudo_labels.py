"""Labels for unlabelled queries, taken from what the current model finds: the stage `semi`.

A query is given its top document if the model is sure of it: the score is high enough, and so is the gap to the second
document. Then the caps, which keep the highest scores (ties: the lower query row): so many queries a label, so that a
document the model likes too much does not fill the training set, and so many in all.

Traps: two documents of one text tie, so a corpus with repeated labels loses them to `min_gap`; a ranking one document deep
knows no gaps and is refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.config import Settings, identity
from ray_pipeline.errors import DataError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.schemas import PSEUDO_LABELS


class PseudoLabelSettings(Settings):
    """Which of the model's answers count as labels. A bound keeps what lies exactly on it."""

    min_score: float = identity(0.6, "label a query if its top document scores at least this")
    min_gap: float = identity(0.02, "and if the second document scores lower by at least this", ge=0)
    max_per_label: int | None = identity(20, "at most so many queries a document, those with the highest scores; null: no cap", ge=1)
    max_total: int | None = identity(None, "at most so many queries in all, those with the highest scores; null: no cap", ge=1)


@dataclass(frozen=True)
class PseudoLabelCounts:
    """Where each query of the ranking went; `considered` is the sum of all but `labels`."""

    considered: int
    no_document: int  # the ranking holds none for the query
    below_score: int
    below_gap: int
    over_label_cap: int
    over_total_cap: int
    kept: int
    labels: int  # distinct documents among the kept

    def to_json(self) -> dict[str, int]:
        return dataclasses.asdict(self)

    def summary(self) -> str:
        return (
            f"{self.kept} of {self.considered} unlabelled queries get one of {self.labels} labels; left out: {self.below_score} below min_score,"
            f" {self.below_gap} below min_gap, {self.over_label_cap} over max_per_label, {self.over_total_cap} over max_total,"
            f" {self.no_document} without a document"
        )


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """The kept queries in the order of their rows."""

    queries: NDArray[np.int64]  # [n] query rows
    docs: NDArray[np.int64]  # [n] document rows
    scores: NDArray[np.float32]  # [n]
    gaps: NDArray[np.float32]  # [n] inf where the ranking holds no second document
    counts: PseudoLabelCounts

    def to_table(self, query_ids: pa.Array | pa.ChunkedArray, doc_ids: pa.Array | pa.ChunkedArray) -> pa.Table:
        """The labels by id (PSEUDO_LABELS)."""
        columns = [
            query_ids.take(pa.array(self.queries)),
            doc_ids.take(pa.array(self.docs)),
            pa.array(self.scores),
            pa.array(self.gaps, mask=np.isinf(self.gaps)),
        ]
        return pa.table(columns, schema=PSEUDO_LABELS)


def pseudo_labels(ranking: Ranking, settings: PseudoLabelSettings) -> PseudoLabels:
    """The labels that `ranking` gives to its queries."""
    if ranking.docs.shape[1] < 2:
        raise DataError(f"pseudo labels need the gap to the second document, and the ranking is {ranking.docs.shape[1]} deep: set search.k=2 or more")
    order = np.argsort(ranking.queries, kind="stable")
    queries, docs, scores = ranking.queries[order], ranking.docs[order, 0], ranking.scores[order, 0]
    again = np.flatnonzero(queries[1:] == queries[:-1])
    if len(again):
        raise DataError(f"the ranking holds query row {queries[again[0]]} twice ({len(again)} repeats); compute it again")
    with np.errstate(invalid="ignore"):  # -inf less -inf, where the ranking holds no document
        gaps = np.where(ranking.docs[order, 1] == PAD_DOC, np.float32(np.inf), scores - ranking.scores[order, 1])
    found = docs != PAD_DOC
    sure = found & (scores >= settings.min_score)
    clear = sure & (gaps >= settings.min_gap)
    under_label_cap = _best(clear, scores, docs, settings.max_per_label)
    kept = _best(under_label_cap, scores, np.zeros_like(docs), settings.max_total)
    stages = [int(stage.sum()) for stage in (np.ones_like(found), found, sure, clear, under_label_cap, kept)]
    no_document, below_score, below_gap, over_label_cap, over_total_cap = (before - after for before, after in pairwise(stages))
    labels = len(np.unique(docs[kept]))
    counts = PseudoLabelCounts(stages[0], no_document, below_score, below_gap, over_label_cap, over_total_cap, stages[-1], labels)
    return PseudoLabels(queries[kept], docs[kept], scores[kept], gaps[kept], counts)


def _best(alive: NDArray[np.bool_], scores: NDArray[np.float32], labels: NDArray[np.int64], cap: int | None) -> NDArray[np.bool_]:
    """Of the living rows of each label the `cap` with the highest scores, earlier rows first among equals."""
    if cap is None:
        return alive
    rows = np.flatnonzero(alive)
    order = rows[np.lexsort((rows, -scores[rows], labels[rows]))]
    starts = np.flatnonzero(np.concatenate([[True], labels[order][1:] != labels[order][:-1]])) if len(order) else np.empty(0, np.int64)
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    kept = np.zeros_like(alive)
    kept[order[place < cap]] = True
    return kept
