"""Batches by token budget: texts of similar length together, padded tokens bounded, as little padding as can be.

A batch costs `rows x longest`, padding included, and what any batch costs whatever is in it (`BATCH_COST`). Texts are sorted
by length, so that a batch is a stretch of that order, and the cuts are those of the least total cost, found by dynamic
programming: with texts sorted longest first, best(j) = min over i of best(i) + (j - i) length(i) + BATCH_COST, over the
stretches i..j that are allowed. Filling every batch up to the budget instead looks natural and is costly where lengths
differ much, as those of queries and short documents in one training batch do: one long text makes all that fills up its
batch as long as itself.

The plan is a pure function of the lengths and the limits: workers, devices and time have no part in it, so the bytes that
come out do not depend on them either.
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from numpy.typing import NDArray

BATCH_COST: Final = 128
"""What one more batch costs, in padded tokens. On two CPU cores a MiniLM of 6 layers loses as much time with each batch as 95
tokens take to embed, or 170 to train on; on a GPU the launches of its kernels are hundreds, of a 7B model's tens. The cuts feel
little of it: docs/results.md has the padding at 64 to 512."""


def plan_batches(lengths: NDArray[np.int64], token_budget: int, max_rows: int) -> list[NDArray[np.int64]]:
    """Row numbers of each batch, longest batch first (memory peaks at once, not after an hour).

    A text longer than the budget gets a batch of its own.
    """
    order = np.lexsort((np.arange(len(lengths)), -lengths))
    cuts = _cheapest_cuts(np.maximum(lengths[order], 1).astype(np.int64), token_budget, max_rows)
    return [order[start:stop] for start, stop in itertools.pairwise(cuts)]


def _cheapest_cuts(falling: NDArray[np.int64], token_budget: int, max_rows: int) -> list[int]:
    """Where to cut lengths that never rise: the ends of each stretch, 0 and the last included."""
    count = len(falling)
    best = np.zeros(count + 1, dtype=np.int64)
    begins = np.zeros(count + 1, dtype=np.int64)  # of the last batch, where the first j texts are cut best
    first = 0
    for stop in range(1, count + 1):
        # a longer stretch begins with a longer text and has more of them, so what is allowed is one window, moving right
        while stop - first > 1 and (stop - first > max_rows or (stop - first) * falling[first] > token_budget):
            first += 1
        costs = best[first:stop] + np.arange(stop - first, 0, -1) * falling[first:stop]
        at = int(costs.argmin())  # of equals the longest last batch
        best[stop], begins[stop] = costs[at] + BATCH_COST, first + at
    cuts = [count]
    while cuts[-1] > 0:
        cuts.append(int(begins[cuts[-1]]))
    return cuts[::-1]


def pad(ids: NDArray[np.int32], offsets: NDArray[np.int64], rows: NDArray[np.int64], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows' token ids as a right-padded matrix, and its mask."""
    lengths = offsets[rows + 1] - offsets[rows]
    mask = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
    padded = np.full(mask.shape, pad_id, dtype=np.int64)
    padded[mask] = np.concatenate([ids[offsets[row] : offsets[row + 1]] for row in rows])
    return padded, mask.astype(np.int64)
