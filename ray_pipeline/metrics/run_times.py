"""What repeated runs of a program say: how much they vary, whether that is enough of them, and which of two programs is faster.

- `spread`: the interquartile range over the median; a run that was disturbed once in a while does not move it.
- `median_spread`: how far the median of so many runs may be off. For normal noise its standard error is 1.2533 s / sqrt(n) and the
  interquartile range 1.3490 s. `spread` does not shrink however often a program is run; this does, so this is what ends a repetition.
- `machine_noise`: the same program against itself (A/A): the first half of its runs against the second. What differs is the machine.
- `interval_of_ratio`: two programs run by turns, a round being one run of each. Rounds are resampled whole, so what slows a round down slows
  both; the ratio of the medians is taken each time. Percentiles of a bootstrap are too narrow for few rounds, so they are taken further out
  (the expanded percentile interval of Hesterberg 2015: Student's t with n - 1 degrees and the factor sqrt(n / (n - 1))). Below six rounds
  even the range of all rounds misses the median in more than 1 of 20 cases, and nothing is excluded.

Times are seconds, above 0 and finite; others are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError

FEWEST_RUNS: Final = 5  # quartiles of fewer say nothing
_BLOCK_CELLS: Final = 2**22  # drawn runs held at once


@dataclass(frozen=True)
class RatioInterval:
    """Median of one program's times over another's, with its interval."""

    ratio: float
    low: float
    high: float
    level: float
    rounds: int

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 1."""
        return self.low > 1 or self.high < 1


@dataclass(frozen=True)
class MachineNoise:
    """How far programs differ from themselves, as ratios of 1 or more."""

    typical: float  # geometric mean over programs
    worst: float
    worst_program: str
    programs: int
    limit: float

    @property
    def noisy(self) -> bool:
        """By the typical program: the worst of many is always far off."""
        return self.typical > self.limit

    def sentence(self) -> str:
        verdict = "the machine is too noisy to compare speed on" if self.noisy else "the machine is quiet enough"
        halves = f"two halves of the same runs differ {self.typical:.3f}x, at most {self.worst:.3f}x ({self.worst_program!r})"
        return f"{verdict}: {halves}, {self.programs:,} programs, limit {self.limit:.3f}x"


def checked_times(times: Sequence[float] | NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """`times` as an array; `what` names whose they are where one is refused."""
    found = np.asarray(times, dtype=np.float64)
    if found.ndim != 1 or not len(found):
        raise DataError(f"{what}: expected a list of run times, got shape {found.shape}")
    bad = np.flatnonzero(~((found > 0) & np.isfinite(found)))
    if len(bad):
        raise DataError(f"{what}: run {bad[0]} took {found[bad[0]]} seconds; a time is above 0 and finite. Time it again, or leave it out")
    return found


def spread(times: Sequence[float]) -> float:
    """Interquartile range over median, of one run's noise."""
    low, middle, high = np.quantile(checked_times(times, "spread"), [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def median_spread(times: Sequence[float]) -> float:
    """The standard error of the median, over the median."""
    return 1.2533 / 1.3490 * spread(times) / sqrt(len(times))


def steady(times: Sequence[float], target: float) -> bool:
    """Whether these are runs enough: five or more, and their median known to `target`, a share such as 0.02."""
    if not target > 0:
        raise DataError(f"target={target}: a share above 0, such as 0.02; no number of runs has a spread of 0")
    return len(times) >= FEWEST_RUNS and median_spread(times) <= target


def machine_noise(runs: Mapping[str, Sequence[float]], limit: float = 1.05) -> MachineNoise:
    """`runs`: of each program its times, in the order they were taken."""
    if not limit > 1:
        raise DataError(f"limit={limit}: how many times longer the same program may take, above 1")
    if not runs:
        raise DataError("there are no runs to tell a machine's noise by; time a few programs at least twice")
    apart: dict[str, float] = {}
    for program, times in runs.items():
        taken = checked_times(times, f"program {program!r}")
        if len(taken) < 2:
            raise DataError(f"program {program!r}: it was run once, and two halves need two runs; time it again")
        half = len(taken) // 2
        apart[program] = abs(log(float(np.median(taken[:half]) / np.median(taken[-half:]))))
    worst = max(apart, key=lambda program: apart[program])
    return MachineNoise(exp(float(np.mean(list(apart.values())))), exp(apart[worst]), worst, len(apart), limit)


def interval_of_ratio(times_a: Sequence[float], times_b: Sequence[float], *, seed: int, resamples: int = 2000, level: float = 0.95) -> RatioInterval:
    """Median of a's times over b's; `times_a[i]` and `times_b[i]` were taken in one round."""
    a, b = checked_times(times_a, "times_a"), checked_times(times_b, "times_b")
    if len(a) != len(b):
        raise DataError(f"{len(a)} runs of one and {len(b)} of the other; a round is a run of each, so give as many of both")
    ratio, rounds = float(np.median(a) / np.median(b)), len(a)
    if 2.0 ** (1 - rounds) > 1 - level:  # the chance that all rounds lie on one side of the median
        return RatioInterval(ratio, 0.0, inf, level, rounds)
    rng = np.random.default_rng(seed)
    at_once, found = max(1, _BLOCK_CELLS // rounds), []
    for done in range(0, resamples, at_once):
        drawn = rng.integers(0, rounds, size=(min(at_once, resamples - done), rounds))
        found.append(np.median(a[drawn], axis=1) / np.median(b[drawn], axis=1))
    tail = expanded_tail(rounds, level)
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail])
    return RatioInterval(ratio, float(low), float(high), level, rounds)


def expanded_tail(rounds: int, level: float) -> float:
    """The share cut off at each end; Student's quantile by its expansion in 1 / degrees (Abramowitz and Stegun 26.7.5)."""
    z, degrees = NormalDist().inv_cdf((1 + level) / 2), rounds - 1
    t = z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    return NormalDist().cdf(-t * sqrt(rounds / degrees))
