"""Rows of different lengths put into packs of one capacity: best fit, the longest first (Johnson 1973).

Each row goes where it leaves the least room, into a new pack where it fits nowhere; of packs with equal room into the one filled last. At most
11/9 of the least number of packs, plus one; with conversations, whose many short rows fill what the long ones leave, hardly more than it.

The room of every pack is a bit of one number, so the tightest fit is the lowest set bit above the length: a million rows take seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError


def best_fit(lengths: NDArray[np.int64], capacity: int) -> list[NDArray[np.int64]]:
    """The rows of each pack, in the order of the rows; packs in the order of their first."""
    if len(lengths) and int(lengths.max()) > capacity:
        raise DataError(f"row {int(lengths.argmax())} has {int(lengths.max())} tokens, and a pack holds {capacity}; cut it, or leave it out")
    packs: list[list[int]] = []
    with_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r: some pack has room for r
    for row in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[row])
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            pack = with_room[room].pop()
            if not with_room[room]:
                rooms ^= 1 << room
        else:
            pack, room = len(packs), capacity
            packs.append([])
        packs[pack].append(row)
        left = room - length
        with_room[left].append(pack)
        rooms |= 1 << left
    return sorted((np.array(sorted(rows), dtype=np.int64) for rows in packs), key=lambda rows: int(rows[0]))
