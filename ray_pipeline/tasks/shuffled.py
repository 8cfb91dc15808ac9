"""Batches of rows in an order that is drawn anew each epoch, from the seed and the epoch's number alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shuffled_batches(rows: int, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """All rows, each in one batch; the last may be smaller."""
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    return np.split(order, range(batch_size, rows, batch_size))
