"""What travels between the parts of a service: arrays of numbers, and errors as words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.text.tokens import joined

Packed: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int64]]  # texts end to end, and where each begins
Told: TypeAlias = tuple[list[NDArray[np.float32] | None], dict[int, str]]


def packed(texts: Sequence[NDArray[np.int32]]) -> Packed:
    tokens = joined(texts)
    return tokens.ids, tokens.offsets


def unpacked(packed: Packed) -> list[NDArray[np.int32]]:
    ids, offsets = packed
    return [ids[start:stop] for start, stop in itertools.pairwise(offsets.tolist())]


def told(results: Sequence[NDArray[np.float32] | Exception]) -> Told:
    """Results one by one, and the errors among them as words."""
    wrong = {row: f"{type(one).__name__}: {one}" for row, one in enumerate(results) if isinstance(one, Exception)}
    return [None if isinstance(one, Exception) else one for one in results], wrong
