"""Which of two models writes faster programs, compared on the problems that both solve.

For each such problem the median time of the reference's correct programs is divided by the model's: 2 says that the model's take half the
time. The ratios' geometric mean is the answer, since a ratio and its inverse must weigh alike, and its interval a bootstrap of their
logarithms over problems. Problems count alike, whether they take microseconds or seconds.

The trap is the plain mean of times over whatever each model solved (`average_time`): a model that solves one hard, slow problem more
looks slower for it, and one that loses it looks faster. It is here because published tables hold it, and says so wherever it is shown.

Times are CPU seconds of correct programs on one machine. A problem without times counts as not solved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.run_times import checked_times
from ray_pipeline.metrics.significance import bootstrap_interval

Times = Mapping[str, Sequence[float]]  # problem -> seconds of its correct programs' runs


@dataclass(frozen=True)
class SpeedComparison:
    """A model against a reference; ratios are the reference's time over the model's, above 1 where the model is faster."""

    ratio: float  # geometric mean over the problems both solved
    low: float
    high: float
    level: float
    by_problem: Mapping[str, float]
    only_model: int  # problems that the model alone solved
    only_reference: int

    @property
    def problems(self) -> int:
        return len(self.by_problem)

    @property
    def faster(self) -> float:
        """The share of problems with a ratio above 1."""
        return sum(ratio > 1 for ratio in self.by_problem.values()) / self.problems

    @property
    def slower(self) -> float:
        return sum(ratio < 1 for ratio in self.by_problem.values()) / self.problems

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 1."""
        return self.low > 1 or self.high < 1

    def sentence(self) -> str:
        """For example "1.24x as fast, 95% interval 1.10x to 1.41x, 52 problems that both solved"."""
        interval = f"{self.level:.0%} interval {self.low:.2f}x to {self.high:.2f}x, {self.problems:,} problems that both solved"
        return f"{self.ratio:.2f}x as fast, {interval}" if self.shown else f"no difference in speed shown ({self.ratio:.2f}x, {interval})"


@dataclass(frozen=True)
class AverageTime:
    """The mean time over the problems one model solved. Not for comparing models: each has its own problems in it."""

    seconds: float
    problems: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:.6g} s on average over the {self.problems:,} problems this model solved"
            " (no measure of speed: another model's average is over other problems)"
        )


def compare_speed(model: Times, reference: Times, *, seed: int) -> SpeedComparison:
    """`model` against `reference`, on the problems for which both have times."""
    new, old = _medians(model, "model"), _medians(reference, "reference")
    both = sorted(new.keys() & old.keys())
    if not both:
        raise DataError(
            f"no problem solved by both: the model solved {len(new)}, the reference {len(old)}; draw more samples, or compare Pass@k alone"
        )
    logs = np.log([old[problem] for problem in both]) - np.log([new[problem] for problem in both])
    of = bootstrap_interval(logs, seed=seed)
    ratios = dict(zip(both, np.exp(logs).tolist(), strict=True))
    return SpeedComparison(exp(of.mean), exp(of.low), exp(of.high), of.level, ratios, len(new.keys() - old.keys()), len(old.keys() - new.keys()))


def average_time(times: Times) -> AverageTime:
    """The mean over solved problems of the mean of their times."""
    means = [float(checked_times(seconds, f"problem {problem!r}").mean()) for problem, seconds in times.items() if len(seconds)]
    if not means:
        raise DataError("no problem was solved, so there is no time to average; draw more samples")
    return AverageTime(float(np.mean(means)), len(means))


def _medians(times: Times, whose: str) -> dict[str, float]:
    return {problem: float(np.median(checked_times(seconds, f"{whose}: problem {problem!r}"))) for problem, seconds in times.items() if len(seconds)}
