"""Which queries train together: the batches of an epoch, as a pure function of (seed, epoch).

Rows are shuffled by their own numbers under (seed, epoch) and filled into batches. Every rank plans the same epoch and takes
its share of each batch; a run that resumes plans it again.

`no_duplicates`: no two rows of a batch share a text, where a row's texts are its query and all its known positives, compared
in normal form. That covers a shared positive document, a shared label group (its rows share a positive, or are each other's)
and a query that is another row's positive. First fit in one pass: every text remembers the batch after the last one that
holds it, a row enters the first batch with room from the latest such mark on (found by union-find over full batches), so a
pass costs O(texts). What then lies beyond the last batch is tried once more in the gaps of those that are not full. What
fits nowhere (a label with more rows than there are batches) waits for another epoch's order and is counted in `left_out`.

Trap: a batch of one row has no negatives, so left-out rows are not put into tiny batches of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.config import Settings, identity
from ray_pipeline.data.keyed_numbers import row_numbers
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.errors import DataError

Rows = NDArray[np.int64]

# What a number is for: draws of one row for different ends must not be related.
SHUFFLE: Final = 0
BATCH_ORDER: Final = 1


class BatchRules(Settings):
    """How an epoch is divided into batches."""

    no_duplicates: bool = identity(
        True, "no two rows of a batch share a query text, a positive or a label group; rows that fit nowhere wait an epoch"
    )
    same_task: bool = identity(False, "all rows of a batch belong to one task: one data set, or one prompt")
    drop_last: bool = identity(False, "leave out batches that are not full")
    negatives_per_query: int = identity(0, "mined negatives drawn for each query, fewer where it has fewer", ge=0)


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """The batches of one epoch in order."""

    rows: Rows  # query rows, batch after batch
    bounds: Rows  # [B + 1] where each batch begins
    left_out: Rows  # query rows that are in no batch of this epoch

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def batch(self, number: int) -> Rows:
        if not 0 <= number < len(self):
            raise IndexError(f"batch {number} of {len(self)}")
        return self.rows[self.bounds[number] : self.bounds[number + 1]]

    @property
    def sizes(self) -> Rows:
        return np.diff(self.bounds)


def plan_epoch(data: TrainingSet, batch_size: int, seed: int, epoch: int, rules: BatchRules) -> EpochPlan:
    """The epoch's batches of at most `batch_size` rows."""
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    if rules.negatives_per_query and not len(data.negatives.docs):
        raise DataError(f"negatives_per_query={rules.negatives_per_query}, but no training row has a negative: train on mined groups, or set it to 0")
    order = np.argsort(row_numbers(np.arange(len(data)), seed, epoch, SHUFFLE), kind="stable")
    shared = _SharedTexts.of(data) if rules.no_duplicates else None
    batches: list[Rows] = []
    for task in np.unique(data.tasks).tolist() if rules.same_task else [None]:
        mine = order if task is None else order[data.tasks[order] == task]
        batches += _divided(mine, batch_size, rules.drop_last, shared)
    if not batches:
        raise DataError(_no_batch(data, batch_size, rules))
    if rules.same_task:
        turns = row_numbers(np.arange(len(batches)), seed, epoch, BATCH_ORDER)
        batches = [batches[at] for at in np.argsort(turns, kind="stable")]
    rows = np.concatenate(batches)
    outside = np.ones(len(data), dtype=bool)
    outside[rows] = False
    return EpochPlan(rows, np.cumsum([0, *map(len, batches)]), np.flatnonzero(outside))


def _divided(order: Rows, size: int, drop_last: bool, shared: _SharedTexts | None) -> list[Rows]:
    count = len(order) // size if drop_last else -(-len(order) // size)
    if shared is None:
        return [order[start : start + size] for start in range(0, min(len(order), count * size), size)]
    found = _first_fit(order.tolist(), shared, count, size)
    return [np.array(batch, dtype=np.int64) for batch in found if batch and not (drop_last and len(batch) < size)]


@dataclass(frozen=True)
class _SharedTexts:
    """For each row those of its texts that other rows have too, as small numbers."""

    starts: list[int]
    texts: list[int]
    count: int

    @classmethod
    def of(cls, data: TrainingSet) -> _SharedTexts:
        rows = len(data)
        distinct, codes = np.unique(np.concatenate([data.query_hashes, data.doc_hashes]), return_inverse=True)
        owners = np.concatenate([np.arange(rows), data.positives.rows()])
        texts = np.concatenate([codes[:rows], codes[rows:][data.positives.docs]])
        pairs = np.unique(owners * len(distinct) + texts)  # by row; a row's own repetition counts once
        owners, texts = np.divmod(pairs, len(distinct))
        often = np.bincount(texts, minlength=len(distinct)) > 1
        kept = often[texts]
        starts = np.concatenate([[0], np.cumsum(np.bincount(owners[kept], minlength=rows))])
        number = np.cumsum(often) - 1
        return cls(starts.tolist(), number[texts[kept]].tolist(), int(often.sum()))

    def of_row(self, row: int) -> list[int]:
        return self.texts[self.starts[row] : self.starts[row + 1]]


def _first_fit(order: list[int], shared: _SharedTexts, count: int, size: int) -> list[list[int]]:
    """`count` batches of at most `size` rows without a shared text; rows that fit nowhere are in none."""
    batches: list[list[int]] = [[] for _ in range(count)]
    following = [0] * shared.count  # of each text, the batch after the last that holds it
    open_from = list(range(count + 1))  # union-find: the first batch with room at or after this one

    def with_room(at: int) -> int:
        while open_from[at] != at:
            open_from[at] = open_from[open_from[at]]
            at = open_from[at]
        return at

    waiting = []
    for row in order:
        texts = shared.of_row(row)
        at = 0
        for text in texts:  # a plain loop: this is the hot line of an epoch of millions
            if following[text] > at:
                at = following[text]
        at = with_room(at)
        if at == count:
            waiting.append(row)
            continue
        batches[at].append(row)
        if len(batches[at]) == size:
            open_from[at] = at + 1
        for text in texts:
            following[text] = at + 1
    gaps = [batches[at] for at in range(count) if len(batches[at]) < size]
    _fill_gaps(waiting, gaps, size, shared)
    return batches


def _fill_gaps(waiting: list[int], gaps: list[list[int]], size: int, shared: _SharedTexts) -> None:
    """Put each waiting row into the first gap that holds none of its texts.

    A gap that a text cannot enter it never can (batches only grow), so each text keeps the first gap still open to it.
    """
    held = [{text for row in batch for text in shared.of_row(row)} for batch in gaps]
    begin: dict[int, int] = {}
    for row in waiting:
        texts = shared.of_row(row)
        for text in texts:
            at = begin.get(text, 0)
            while at < len(gaps) and (len(gaps[at]) == size or text in held[at]):
                at += 1
            begin[text] = at
        at = max((begin[text] for text in texts), default=0)
        while at < len(gaps) and (len(gaps[at]) == size or not held[at].isdisjoint(texts)):
            at += 1
        if at < len(gaps):
            gaps[at].append(row)
            held[at].update(texts)


def _no_batch(data: TrainingSet, batch_size: int, rules: BatchRules) -> str:
    causes = ["drop_last leaves out batches that are not full"]
    if rules.same_task:
        causes.append(f"the largest of {len(np.unique(data.tasks))} tasks has {int(np.bincount(data.tasks).max())} rows")
    if rules.no_duplicates:
        causes.append("no_duplicates keeps rows with a shared text apart")
    return f"{len(data)} rows give no batch of {batch_size}: {'; '.join(causes)}. Lower batch_size, or switch one of these off"
