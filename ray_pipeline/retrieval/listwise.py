"""Sliding windows: an order of many documents out of orders of few.

A window of the lowest ranked documents is ordered first, then one that overlaps it higher up, and so on to the top: the best of each
window climb into the next, so the best of all reach the front in one pass (Sun et al. 2023, arXiv 2304.09542). What does not climb is
ordered among its neighbours only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Order = Callable[[Sequence[Item]], list[int]]  # a window's items -> their places, best first


def slid(items: Sequence[Item], order: Order[Item], window: int, stride: int) -> list[Item]:
    """All of `items`, best first; `stride` is how far a window moves up, at most its size."""
    if not 1 <= stride <= window or window < 2:
        raise ValueError(f"a window of {window} that moves by {stride}: it must hold two or more, and move by at least 1 and at most its size")
    found = list(items)
    stop = len(found)
    while stop > 0:
        start = max(0, stop - window)
        part = found[start:stop]
        found[start:stop] = [part[place] for place in order(part)]
        if start == 0:
            return found
        stop -= stride
    return found


def scores_by_place(order: Sequence[int]) -> NDArray[np.float32]:
    """A score for each document out of their order: as many as stand behind it. Ranks, no strengths."""
    scores = np.empty(len(order), dtype=np.float32)
    scores[np.asarray(order, dtype=np.int64)] = np.arange(len(order))[::-1]
    return scores
