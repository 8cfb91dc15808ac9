"""Packs by hand, against a slow best fit, and near the least there can be."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.text.packing import best_fit


def slow(lengths: list[int], capacity: int) -> list[list[int]]:
    """The same rule, looking at every pack."""
    packs: list[list[int]] = []
    filled: list[int] = []  # packs in the order in which they were last filled
    for row in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        fits = [pack for pack in filled if sum(lengths[one] for one in packs[pack]) + lengths[row] <= capacity]
        if fits:
            pack = max(fits, key=lambda one: (sum(lengths[row] for row in packs[one]), filled.index(one)))
            filled.remove(pack)
        else:
            pack = len(packs)
            packs.append([])
        packs[pack].append(row)
        filled.append(pack)
    return sorted(sorted(rows) for rows in packs)


def test_by_hand() -> None:
    found = best_fit(np.array([3, 6, 5, 1, 4]), 10)
    assert [rows.tolist() for rows in found] == [[0, 2, 3], [1, 4]]
    assert [rows.tolist() for rows in best_fit(np.array([10, 10]), 10)] == [[0], [1]]
    assert best_fit(np.array([], dtype=np.int64), 10) == []


@given(lengths=st.lists(st.integers(0, 12), max_size=25), capacity=st.integers(12, 20))
def test_equals_the_slow_rule(lengths: list[int], capacity: int) -> None:
    assert [rows.tolist() for rows in best_fit(np.array(lengths, dtype=np.int64), capacity)] == slow(lengths, capacity)


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=200), capacity=st.integers(50, 120))
def test_every_row_once_and_no_pack_over(lengths: list[int], capacity: int) -> None:
    found = best_fit(np.array(lengths), capacity)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    assert all(sum(lengths[row] for row in rows) <= capacity for rows in found)
    assert len(found) <= 11 / 9 * -(-sum(lengths) // capacity) * 2  # the least is at least the sum; twice it allows for halves that pair badly


def test_conversations_leave_little_room_and_a_million_take_seconds() -> None:
    lengths = np.clip(np.random.default_rng(0).lognormal(5.5, 0.9, 1_000_000), 8, 4096).astype(np.int64)
    started = time.perf_counter()
    found = best_fit(lengths, 4096)
    assert time.perf_counter() - started < 60
    assert int(lengths.sum()) / (len(found) * 4096) > 0.995


def test_a_row_that_no_pack_holds_is_refused() -> None:
    with pytest.raises(DataError, match="row 1 has 11 tokens, and a pack holds 10"):
        best_fit(np.array([1, 11]), 10)
