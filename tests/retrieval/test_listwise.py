"""Sliding windows over documents of known worth."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.retrieval.listwise import scores_by_place, slid


def by_worth(window: Sequence[int]) -> list[int]:
    return sorted(range(len(window)), key=lambda place: -window[place])


def test_by_hand() -> None:
    """Windows of 3 that move by 2: [7, 1, 9] at the bottom, then [3, 5, 9]."""
    seen: list[list[int]] = []

    def order(window: Sequence[int]) -> list[int]:
        seen.append(list(window))
        return by_worth(window)

    assert slid([3, 5, 7, 1, 9], order, 3, 2) == [9, 5, 3, 7, 1]
    assert seen == [[7, 1, 9], [3, 5, 9]]


@given(items=st.lists(st.integers(), unique=True, max_size=40), window=st.integers(2, 10), stride=st.integers(1, 10))
def test_the_best_climb_to_the_front_and_none_is_lost(items: list[int], window: int, stride: int) -> None:
    if stride > window:
        with pytest.raises(ValueError, match="at most its size"):
            slid(items, by_worth, window, stride)
        return
    found = slid(items, by_worth, window, stride)
    assert sorted(found) == sorted(items)
    overlap = window - stride
    assert found[:overlap] == sorted(items, reverse=True)[:overlap]


def test_scores_fall_along_the_order() -> None:
    assert scores_by_place([2, 0, 1]).tolist() == [1.0, 0.0, 2.0]
