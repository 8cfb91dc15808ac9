"""Medals of a column, and its worst value.

Rules. Pass@1 is better the higher it is, a time the lower. The best, second and third best *values* get the medals: equal values
share theirs, and every row takes part, reference solutions and baselines too. The worst value is marked unless it has a medal,
so a column of three values has medals only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WORST: Final = -1


def marks(values: Sequence[float], *, higher_is_better: bool) -> list[int]:
    """Of each value 1, 2 or 3 for a medal, WORST, or 0 for neither."""
    ordered = sorted(set(values), reverse=higher_is_better)
    found = {value: place for place, value in enumerate(ordered[:3], start=1)}
    if len(ordered) > 3:
        found[ordered[-1]] = WORST
    return [found.get(value, 0) for value in values]
