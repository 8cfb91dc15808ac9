"""The documents a batch trains with: for each query one positive and some of its negatives.

Positive: uniform among the query's positives. Negatives: uniform without replacement, the k with the smallest numbers, where
every (seed, epoch, query row, document row) owns a number (see keyed_numbers.py). So a query's documents depend on these
alone: not on the batch it is in, its place there, or the number of workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.keyed_numbers import GOLDEN, below, mix, row_numbers
from ray_pipeline.data.training_set import TrainingSet

POSITIVE: Final = 2  # beside the ends in training_batches.py
NEGATIVES: Final = 3
NONE: Final = -1


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch of Q queries and D documents: first the positive of each query (document i is query i's), then the negatives
    query by query. A document drawn for two queries is there twice."""

    queries: NDArray[np.int64]  # [Q] query rows
    documents: NDArray[np.int64]  # [D] document rows
    owner: NDArray[np.int64]  # [D] which of the Q queries brought it
    own: NDArray[np.int64]  # [Q, 1 + k] which of the D documents are the query's: its positive, then its negatives, -1 where it has fewer
    teacher: NDArray[np.float32] | None  # [Q, 1 + k] teacher's scores of `own`, NaN where unknown or padded; none where the set has none
    known: DocLists  # of the Q queries: document rows of all known positives


def draw(data: TrainingSet, rows: NDArray[np.int64], seed: int, epoch: int, negatives: int) -> Drawn:
    """The documents of the queries `rows` in this epoch, with up to `negatives` negatives each."""
    known = data.positives.take(rows)
    chosen = known.indptr[:-1] + below(row_numbers(rows, seed, epoch, POSITIVE), known.counts)
    lists = data.negatives.take(rows)
    owner, column, entry = _smallest(lists, row_numbers(rows, seed, epoch, NEGATIVES), negatives)
    count = len(rows)
    own = np.full((count, 1 + negatives), NONE, dtype=np.int64)
    own[:, 0] = np.arange(count)
    own[owner, 1 + column] = count + np.arange(len(entry))
    teacher = None
    if data.has_teacher_scores:
        teacher = np.full(own.shape, np.nan, dtype=np.float32)
        if known.scores is not None:
            teacher[:, 0] = known.scores[chosen]
        if lists.scores is not None:
            teacher[owner, 1 + column] = lists.scores[entry]
    documents = np.concatenate([known.docs[chosen], lists.docs[entry]])
    return Drawn(rows, documents, np.concatenate([np.arange(count), owner]), own, teacher, known)


def _smallest(lists: DocLists, numbers: NDArray[np.uint64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The `count` documents of each list with the smallest numbers: list, place among the chosen, entry of `lists.docs`."""
    owners = lists.rows()
    order = np.lexsort((mix(numbers[owners] + lists.docs.astype(np.uint64) * GOLDEN), owners))
    place = np.arange(len(owners)) - lists.indptr[owners]
    kept = place < count
    return owners[kept], place[kept], order[kept]
