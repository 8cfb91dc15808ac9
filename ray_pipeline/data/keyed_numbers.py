"""Random numbers that belong to what they are for: a counter-based generator, not a stream that is consumed.

A row's number under some seeds is a hash of both (Steele, Lea, Flood 2014: the finaliser of SplitMix64 over a Weyl sequence).
So a draw depends neither on the order in which rows are visited, nor on the batch, nor on the number of workers, and a
million of them are a few array operations.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


def mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: a bijection of 64-bit numbers in which each input bit flips half of the output's."""
    mixed = numbers ^ (numbers >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def row_numbers(rows: NDArray[np.int64], *seeds: int) -> NDArray[np.uint64]:
    """[n] the number of each row under `seeds`, whose order counts; different rows have different numbers."""
    state = np.zeros(1, dtype=np.uint64)
    for seed in seeds:
        state = mix((state ^ np.array([seed % 2**64], dtype=np.uint64)) + GOLDEN)
    return mix(state + rows.astype(np.uint64) * GOLDEN)


def below(numbers: NDArray[np.uint64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """A whole number in 0 .. bound - 1 from each: the high 32 bits times the bound (Lemire 2019, arXiv 1805.10941), whose bias
    is bound / 2^32."""
    scaled = (numbers >> np.uint64(32)) * bounds.astype(np.uint64)
    return (scaled >> np.uint64(32)).astype(np.int64)
