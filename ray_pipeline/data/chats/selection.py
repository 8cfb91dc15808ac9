"""Which conversations: distinct ones, some of them, those of a length, one side of a split.

A conversation is known by its content, not by its name or place: equal ones fall on one side of a split, and a sample does not depend on
the order of the file. Samples of one seed are nested: the 100 lie within the 1,000, and these within the 14,000.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.data.columns import take_rows
from ray_pipeline.data.splits import split_by_group
from ray_pipeline.errors import DataError


def digests(chats: pa.Table) -> list[str]:
    """What each conversation says, as a hash; names of conversations and the lines they were read from do not count."""
    rows = chats.select(["messages", "tools"]).to_pylist()
    return [hashlib.sha256(json.dumps(row, sort_keys=True, ensure_ascii=False).encode()).hexdigest() for row in rows]


def distinct(chats: pa.Table) -> pa.Table:
    """The first of those that say the same."""
    first: dict[str, int] = {}
    for row, digest in enumerate(digests(chats)):
        first.setdefault(digest, row)
    return take_rows(chats, np.array(list(first.values()), dtype=np.int64))


def sampled(chats: pa.Table, count: int, seed: int) -> pa.Table:
    """So many of them, in their order."""
    if count > len(chats):
        raise DataError(f"{count:,} conversations are asked for, and there are {len(chats):,}; ask for fewer")
    keys = [hashlib.sha256(f"{seed}\0{digest}".encode()).hexdigest() for digest in digests(chats)]
    chosen = sorted(range(len(keys)), key=lambda row: (keys[row], row))[:count]
    return take_rows(chats, np.array(sorted(chosen), dtype=np.int64))


def with_turns(chats: pa.Table, least: int, most: int | None) -> pa.Table:
    """Those whose user speaks so often."""
    counts = turns(chats)
    return chats.filter(pa.array((counts >= least) & (counts <= (np.iinfo(np.int64).max if most is None else most))))


def turns(chats: pa.Table) -> NDArray[np.int64]:
    """[conversations] how often the user speaks."""
    return np.array([sum(message["role"] == "user" for message in row) for row in chats.column("messages").to_pylist()], dtype=np.int64)


def divided(chats: pa.Table, eval_share: float, seed: int) -> tuple[pa.Table, pa.Table]:
    """Those that train and those that are held out."""
    held_out = split_by_group(digests(chats), eval_share, seed).astype(bool)
    return chats.filter(pa.array(~held_out)), chats.filter(pa.array(held_out))


def shared(one: pa.Table, other: pa.Table) -> NDArray[np.bool_]:
    """[rows of the first] which say what one of the second says: conversations that would be trained on and evaluated."""
    seen = set(digests(other))
    return np.array([digest in seen for digest in digests(one)], dtype=bool)
