"""Seeded draws for generated data."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A stream of draws of its own for each row.

    Everything comes from `Random.random`, whose stream Python keeps the same from version to version.
    """

    __slots__ = ("_random",)

    def __init__(self, seed: str) -> None:
        self._random = Random(seed).random

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self._random() * len(items))]

    def some(self, items: Sequence[T], count: int) -> tuple[T, ...]:
        """`count` different items in random order."""
        rest = list(items)
        return tuple(rest.pop(int(self._random() * len(rest))) for _ in range(count))

    def proper(self, bottom: int) -> int:
        """A numerator that makes a proper fraction over `bottom` in its lowest terms."""
        return self.pick(_COPRIME[bottom])


def _coprime_below(bottom: int) -> tuple[int, ...]:
    return tuple(n for n in range(1, bottom) if all(n % k or bottom % k for k in range(2, n + 1)))


_COPRIME = {bottom: _coprime_below(bottom) for bottom in range(2, 26)}
