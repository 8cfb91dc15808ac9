"""What several runs over the same entries say: accuracy, how it varies from run to run, and whether two models differ.

Two noises are told apart. `spread` is the standard deviation over runs: what drawing the answers anew changes. `error` is the binomial standard error
over entries: what other entries of the kind would change; more runs do not lower it. A difference of two models is taken entry by entry, over the
share of runs in which an entry was right, so both noises are in its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.comparison import Comparison, compare_values

LEVEL: Final = 0.05  # a difference of which chance gives as much more often than this is not called one
LEAST: Final = 30  # entries; an interval of fewer is not to be believed


@dataclass(frozen=True)
class Verdicts:
    """A category's entries, and of each in each run whether it was right: [entries, runs]."""

    category: str
    entries: tuple[str, ...]
    right: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.right.ndim != 2 or len(self.right) != len(self.entries) or not self.right.size:
            raise DataError(f"{self.category}: verdicts of shape {self.right.shape} for {len(self.entries)} entries; give one for each in each run")

    @property
    def by_run(self) -> tuple[float, ...]:
        """The share that was right, run by run."""
        return tuple(float(one) for one in self.right.mean(axis=0))

    @property
    def mean(self) -> float:
        return float(self.right.mean())

    @property
    def spread(self) -> float | None:
        """The standard deviation over runs; one run has none."""
        return float(np.std(self.by_run, ddof=1)) if self.right.shape[1] > 1 else None

    @property
    def error(self) -> float:
        """The binomial standard error over entries."""
        return sqrt(self.mean * (1 - self.mean) / len(self.entries))


@dataclass(frozen=True)
class ToolModel:
    """A model by its runs. `asked`: how many runs there are to be; `note`: what its owner says of it."""

    name: str
    verdicts: Mapping[str, Verdicts]  # by category
    asked: int
    note: str = ""
    faults: int = 0  # rollouts whose simulators failed; they count as wrong

    @property
    def done(self) -> int:
        return max((one.right.shape[1] for one in self.verdicts.values()), default=0)

    @property
    def status(self) -> str:
        """How far it is."""
        return f"{self.done} of {self.asked} runs"


def verdicts_of(runs: Sequence[Sequence[Mapping[str, object]]]) -> dict[str, Verdicts]:
    """From the rows of each run: `category`, `task_id`, `right`; every run has the same entries in the same order."""
    first = [(row["category"], row["task_id"]) for row in runs[0]]
    for number, rows in enumerate(runs):
        if [(row["category"], row["task_id"]) for row in rows] != first:
            raise DataError(f"run {number} has other entries than run 0; runs are over the same ones")
    found = {}
    for category in dict.fromkeys(str(name) for name, _ in first):
        places = [place for place, (name, _) in enumerate(first) if name == category]
        right = np.array([[bool(rows[place]["right"]) for rows in runs] for place in places])
        found[category] = Verdicts(category, tuple(str(first[place][1]) for place in places), right)
    return found


@dataclass(frozen=True)
class Difference:
    """`new` against `reference` in one category."""

    category: str
    new: ToolModel
    reference: ToolModel
    found: Comparison

    @property
    def real(self) -> bool:
        """Whether it is more than noise: the interval leaves out 0, the test agrees, and there are entries enough for either to mean something."""
        return self.found.shown and self.found.p_value < LEVEL and self.found.difference.queries >= LEAST

    def sentence(self) -> str:
        """In plain words; what is inside the noise is not called a difference."""
        interval = self.found.difference
        points, low, high = (100 * value for value in (interval.mean, interval.low, interval.high))
        how_sure = f"{interval.level:.0%} interval {low:+.1f} to {high:+.1f}, p = {self.found.p_value:.2g}, {interval.queries:,} entries paired"
        runs = f"{self.new.done} and {self.reference.done} runs"
        if self.real:
            word = "better" if points > 0 else "worse"
            return f"{self.category}: {self.new.name} is {word} than {self.reference.name} by {abs(points):.1f} points ({how_sure}, {runs})."
        few = f" Fewer than {LEAST} entries show nothing, whatever they say." if interval.queries < LEAST else ""
        return (
            f"{self.category}: no difference shown between {self.new.name} and {self.reference.name}: {points:+.1f} points are inside the noise "
            f"({how_sure}, {runs}).{few}"
        )


def differences(new: ToolModel, reference: ToolModel) -> list[Difference]:
    """In each category that both have; refused where there is none, or where its entries are others."""
    shared = [category for category in new.verdicts if category in reference.verdicts]
    if not shared:
        raise DataError(
            f"{new.name} was asked {', '.join(new.verdicts)} and {reference.name} {', '.join(reference.verdicts)}: no category of both to compare"
        )
    return [Difference(category, new, reference, _compared(new, reference, category)) for category in shared]


def _compared(new: ToolModel, reference: ToolModel, category: str) -> Comparison:
    mine, theirs = new.verdicts[category], reference.verdicts[category]
    if mine.entries != theirs.entries:
        raise DataError(
            f"{category}: {new.name} answered {len(mine.entries):,} entries and {reference.name} {len(theirs.entries):,}, not the same ones; "
            "compare evaluations of the same entries"
        )
    return compare_values(category, mine.right.mean(axis=1), theirs.right.mean(axis=1), seed=0)
