"""Seeded sampling without replacement that no order, batch or number of workers can change.

Every (seed, query id, document row) owns a 64-bit number (data/keyed_numbers.py). Each candidate gets a key from its own
number, and the n smallest keys win:

- `random`: the key is the number itself, so every n-subset is equally likely;
- `softmax`: the key is -(score / temperature + G) with Gumbel noise G = -log(-log u): Gumbel top-k, which is sampling
  one after the other with probability proportional to exp(score / temperature) (Kool et al. 2019, arXiv 1903.06059);
- `top`: the key is the rank.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.data.keyed_numbers import GOLDEN, mix


def query_keys(id_hashes: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """[Q] the number of each query under `seed`."""
    seeded = mix(np.array([seed % 2**64], dtype=np.uint64) + GOLDEN)
    return mix(id_hashes ^ seeded)


def candidate_keys(keys: NDArray[np.uint64], docs: NDArray[np.int64]) -> NDArray[np.uint64]:
    """[Q, W] the number of each candidate; within a query different documents have different numbers."""
    return mix(keys[:, None] + docs.astype(np.uint64) * GOLDEN)


def uniform_order(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """[Q, W] a uniform number in (0, 1) from each 64-bit one: 53 bits and a half, so neither end is reached."""
    uniform: NDArray[np.float64] = ((keys >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return uniform


def softmax_order(keys: NDArray[np.uint64], scores: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """[Q, W] negated Gumbel-perturbed scores: the smallest win."""
    order: NDArray[np.float64] = np.log(-np.log(uniform_order(keys))) - scores / np.float64(temperature)
    return order


def first(alive: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """[Q, W] the first `count` living candidates of each row."""
    return alive & (np.cumsum(alive, axis=1, dtype=np.int32) <= count)


def smallest(order: NDArray[np.float64], alive: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """[Q, W] the `count` living candidates of each row with the smallest order."""
    if count >= alive.shape[1]:
        return alive
    order = np.where(alive, order, np.inf)
    winners = np.argpartition(order, count - 1, axis=1)[:, :count]
    chosen = np.zeros_like(alive)
    np.put_along_axis(chosen, winners, True, axis=1)
    return chosen & alive
