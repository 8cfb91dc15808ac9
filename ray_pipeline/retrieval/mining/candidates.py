"""A block of candidates with all that is known of their queries, and the verdict of the filters on each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.ranking import PAD_DOC
from ray_pipeline.retrieval.mining import filters
from ray_pipeline.retrieval.mining.rules import MiningRules
from ray_pipeline.retrieval.mining.tally import CODE, KEPT, PAD


@dataclass(frozen=True)
class Candidates:
    """W candidates for each of Q queries, aligned row by row with the queries' own facts."""

    ranks: NDArray[np.int64]  # [W] rank of each column
    docs: NDArray[np.int64]  # [Q, W]
    scores: NDArray[np.float32]  # [Q, W]
    teacher: NDArray[np.float32] | None  # [Q, W]
    queries: NDArray[np.int64]  # [Q] query rows
    keys: NDArray[np.uint64]  # [Q] hash of the query's id
    positives: DocLists
    relevant: DocLists | None
    text_hashes: NDArray[np.uint64] | None  # [Q] of the queries' texts
    known_positives: NDArray[np.int64]  # of all queries, these and others

    def rows(self, rows: NDArray[np.int64]) -> Candidates:
        return replace(
            self,
            docs=self.docs[rows],
            scores=self.scores[rows],
            teacher=None if self.teacher is None else self.teacher[rows],
            queries=self.queries[rows],
            keys=self.keys[rows],
            positives=self.positives.take(rows),
            relevant=None if self.relevant is None else self.relevant.take(rows),
            text_hashes=None if self.text_hashes is None else self.text_hashes[rows],
        )

    def columns(self, columns: slice | NDArray[np.int64]) -> Candidates:
        teacher = None if self.teacher is None else self.teacher[:, columns]
        return replace(self, ranks=self.ranks[columns], docs=self.docs[:, columns], scores=self.scores[:, columns], teacher=teacher)


def judge(block: Candidates, rules: MiningRules, doc_hashes: NDArray[np.uint64] | None) -> NDArray[np.uint8]:
    """[Q, W] the verdict on each candidate (see `tally.py`), by the filters that `rules` and the known facts switch on."""
    verdicts = np.where(block.docs == PAD_DOC, np.uint8(PAD), np.uint8(KEPT))

    def drop(reason: str, dropped: NDArray[np.bool_]) -> None:
        verdicts[dropped & (verdicts == KEPT)] = CODE[reason]

    drop("positive", filters.listed(block.docs, block.positives))
    if block.relevant is not None:
        drop("qrels", filters.listed(block.docs, block.relevant))
    hashes = None if doc_hashes is None else doc_hashes[block.docs]  # a padded place reads some hash; its verdict is PAD already
    if doc_hashes is not None and hashes is not None:
        drop("same_text", filters.same_text(doc_hashes, hashes, block.positives))
        if block.relevant is not None:
            drop("same_text", filters.same_text(doc_hashes, hashes, block.relevant))
        if block.text_hashes is not None:
            drop("query_text", filters.query_text(hashes, block.text_hashes))
    if rules.only_positives:
        drop("never_positive", filters.never_positive(block.docs, block.known_positives))
    if rules.needs_positive_scores:
        anchors = filters.lowest_scores(block.positives)
        if rules.margin_absolute is not None:
            drop("margin_absolute", filters.absolute_margin(block.scores, anchors, rules.margin_absolute))
        if rules.margin_relative is not None:
            drop("margin_relative", filters.relative_margin(block.scores, anchors, rules.margin_relative))
    if rules.min_score is not None:
        drop("min_score", filters.below(block.scores, rules.min_score))
    if rules.max_score is not None:
        drop("max_score", filters.above(block.scores, rules.max_score))
    if rules.teacher_max is not None and block.teacher is not None:
        drop("teacher", filters.above(block.teacher, rules.teacher_max))
    if hashes is not None:
        drop("repeated_text", filters.repeated_text(hashes, verdicts == KEPT))
    return verdicts
