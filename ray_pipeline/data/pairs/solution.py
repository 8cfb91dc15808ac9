"""A judged and timed solution, and the problem that a strategy looks at.

The passing solutions with a time, quickest first, are cut in two: the *quick half* are the first floor(n/2), the *slow half* the others, so
with an odd number the middle one is slow. Equal times stand in the order of their samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite

from ray_pipeline.errors import DataError


@dataclass(frozen=True)
class Solution:
    """One sample of a model for one problem."""

    task_id: str
    prompt: str
    text: str
    passed: bool
    reason: str  # why it failed: "wrong answer", "timeout"; empty where it passed
    seconds: float | None  # median of its runs; none where it was not timed
    spread: float | None  # interquartile range of its runs over their median; none where it was run once
    sample: int  # its number among the problem's samples


@dataclass(frozen=True)
class Problem:
    """A problem's distinct solutions, by sample."""

    task_id: str
    prompt: str
    solutions: tuple[Solution, ...]
    scores: Mapping[int, float] | None = None  # CodeDPO's, by sample

    @cached_property
    def passing(self) -> tuple[Solution, ...]:
        return tuple(one for one in self.solutions if one.passed)

    @cached_property
    def failing(self) -> tuple[Solution, ...]:
        return tuple(one for one in self.solutions if not one.passed)

    @cached_property
    def timed(self) -> tuple[tuple[float, Solution], ...]:
        """The passing solutions that have a time, quickest first."""
        found = [(one.seconds, one) for one in self.passing if one.seconds is not None]
        return tuple(sorted(found, key=lambda pair: (pair[0], pair[1].sample)))

    @cached_property
    def by_time(self) -> tuple[Solution, ...]:
        return tuple(one for _, one in self.timed)

    @cached_property
    def quick(self) -> tuple[Solution, ...]:
        return self.by_time[: len(self.by_time) // 2]

    @cached_property
    def slow(self) -> tuple[Solution, ...]:
        return self.by_time[len(self.by_time) // 2 :]


def by_problem(solutions: Iterable[Solution]) -> dict[str, list[Solution]]:
    """The solutions of each problem by sample, the problems by task_id; what contradicts itself is refused."""
    found: dict[str, list[Solution]] = {}
    for one in solutions:
        _check(one)
        found.setdefault(one.task_id, []).append(one)
    for task_id, of in found.items():
        of.sort(key=lambda one: one.sample)
        for first, second in pairwise(of):
            if first.sample == second.sample:
                raise DataError(f"problem {task_id!r}: sample {first.sample} is there twice; number a problem's samples apart")
            if first.prompt != second.prompt:
                raise DataError(f"problem {task_id!r}: samples {first.sample} and {second.sample} answer different prompts; give each its task_id")
    return dict(sorted(found.items()))


def _check(one: Solution) -> None:
    where = f"problem {one.task_id!r}, sample {one.sample}"
    if one.seconds is not None and not (isfinite(one.seconds) and one.seconds > 0):
        raise DataError(f"{where}: seconds={one.seconds}; a time is above 0 and finite. Time it again, or give null")
    if one.spread is not None and not (isfinite(one.spread) and one.spread >= 0):
        raise DataError(f"{where}: spread={one.spread}; it is 0 or more and finite, or null where the program was run once")
    if one.sample < 0:
        raise DataError(f"{where}: samples are numbered from 0")
