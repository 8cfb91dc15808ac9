"""Numbers by hash."""

from __future__ import annotations

import numpy as np

from ray_pipeline.data.keyed_numbers import GOLDEN, below, mix, row_numbers


def test_mix_is_splitmix64() -> None:
    """The first five outputs of the published generator from seed 1234567: it mixes seed + n * GOLDEN."""
    states = np.array([1234567], dtype=np.uint64) + np.arange(1, 6, dtype=np.uint64) * GOLDEN
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert mix(states).tolist() == expected


def test_a_row_s_number_is_its_own() -> None:
    rows = np.arange(100_000)
    numbers = row_numbers(rows, 3, 1)
    assert len(np.unique(numbers)) == len(rows)
    assert np.array_equal(row_numbers(rows[[70, 5]], 3, 1), numbers[[70, 5]])


def test_every_seed_and_its_place_counts() -> None:
    seeds = [(0,), (1,), (0, 0), (0, 1), (1, 0), (-1, 0), (2**63, 0), (0, 0, 1)]
    numbers = [int(row_numbers(np.array([7]), *seed)[0]) for seed in seeds]
    assert len(set(numbers)) == len(seeds)


def test_below_by_hand() -> None:
    numbers = np.array([0, 2**63, 2**64 - 1, 2**62, 2**64 - 1], dtype=np.uint64)
    assert below(numbers, np.array([10, 10, 10, 4, 1])).tolist() == [0, 5, 9, 1, 0]


def test_below_is_uniform() -> None:
    found = below(row_numbers(np.arange(70_000), 11), np.full(70_000, 7))
    counts = np.bincount(found, minlength=7)
    chi_square = float(((counts - 10_000) ** 2 / 10_000).sum())
    assert chi_square < 22.5  # 6 degrees of freedom, p = 0.001
