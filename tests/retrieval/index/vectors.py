"""Vectors for tests of indexes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unit(rows: int, seed: int, dim: int = 16) -> NDArray[np.float32]:
    """Random vectors of length 1."""
    vectors = np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def clustered(rows: int, seed: int, dim: int = 16, centres: int = 40) -> NDArray[np.float32]:
    """Vectors in clumps, as texts' are."""
    drawn = np.random.default_rng(seed)
    around = np.random.default_rng(99).standard_normal((centres, dim))[drawn.integers(0, centres, rows)]
    vectors = (around + 0.6 * drawn.standard_normal((rows, dim))).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
