"""Batches by token budget: texts of similar length together, padded tokens bounded.

A batch costs `rows x longest`. Sorting by length first keeps the padding small; cutting by that product keeps memory
and time a batch even, whatever the lengths. The plan is a pure function of the lengths and the budget: workers,
devices and time have no part in it, so the bytes that come out do not depend on them either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def plan_batches(lengths: NDArray[np.int64], token_budget: int, max_rows: int) -> list[NDArray[np.int64]]:
    """Row numbers of each batch, longest batch first (memory peaks at once, not after an hour).

    A text longer than the budget gets a batch of its own.
    """
    order = np.lexsort((np.arange(len(lengths)), -lengths))
    batches = []
    start = 0
    while start < len(order):
        longest = max(int(lengths[order[start]]), 1)
        rows = max(1, min(max_rows, token_budget // longest))
        batches.append(order[start : start + rows])
        start += rows
    return batches


def pad(ids: NDArray[np.int32], offsets: NDArray[np.int64], rows: NDArray[np.int64], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows' token ids as a right-padded matrix, and its mask."""
    lengths = offsets[rows + 1] - offsets[rows]
    mask = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
    padded = np.full(mask.shape, pad_id, dtype=np.int64)
    padded[mask] = np.concatenate([ids[offsets[row] : offsets[row + 1]] for row in rows])
    return padded, mask.astype(np.int64)
