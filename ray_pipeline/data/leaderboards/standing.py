"""What one model did on one benchmark: how much of its code is right (Pass@1) and how long the right code runs (avg_time).

Rules. Pass@1 is a share, 0 to 1; avg_time is any unit, one unit a benchmark, above 0 (a speed is divided by it). An interval
holds both ends and the figure itself lies in it. `problems` is how many problems the benchmark asked, `samples` how many
answers to each.

Trap. avg_time is the mean over the problems that *this* model solved, so two models are timed on different problems: a model
that solves the easy ones only looks fast. `speed_ratio` is there for a comparison over problems that both solved.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from ray_pipeline.errors import DataError


@dataclass(frozen=True)
class Range:
    """A 95% interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Standing:
    """A model on a benchmark; `place` is where it was read, `file:line`."""

    benchmark: str
    model: str
    avg_time: float
    pass_at_1: float
    place: str
    pass_interval: Range | None = None
    problems: int | None = None
    samples: int | None = None
    speed_ratio: float | None = None
    speed_interval: Range | None = None

    def __post_init__(self) -> None:
        for name, text in (("benchmark", self.benchmark), ("model", self.model)):
            if not text.strip():
                raise self._wrong(f"{name} is empty", "every row names its model and its benchmark")
        for name, value in (("avg_time", self.avg_time), ("pass@1", self.pass_at_1), ("speed_ratio", self.speed_ratio)):
            if value is not None and not isfinite(value):
                raise self._wrong(f"{name} is {value}", "give a number; a model that solved nothing has no time: leave its row out")
        if self.avg_time <= 0:
            raise self._wrong(f"avg_time is {self.avg_time:g}", "a time is above 0")
        if not 0 <= self.pass_at_1 <= 1:
            raise self._wrong(f"pass@1 is {self.pass_at_1:g}, outside 0 to 1", "give a share: 14.59% is 0.1459")
        if self.speed_ratio is not None and self.speed_ratio <= 0:
            raise self._wrong(f"speed_ratio is {self.speed_ratio:g}", "a ratio of times is above 0")
        for name, whole in (("problems", self.problems), ("samples", self.samples)):
            if whole is not None and whole < 1:
                raise self._wrong(f"{name} is {whole}", "count from 1, or leave it out")
        self._check_range("pass@1", self.pass_at_1, self.pass_interval)
        self._check_range("speed_ratio", self.speed_ratio, self.speed_interval)

    def _check_range(self, name: str, value: float | None, given: Range | None) -> None:
        if given is None:
            return
        if value is None:
            raise self._wrong(f"{name}_low and {name}_high stand without {name}", f"give {name} too")
        if not given.low <= value <= given.high:
            raise self._wrong(f"{name} {value:g} lies outside its interval {given.low:g} to {given.high:g}", "give the interval of this figure")

    def _wrong(self, problem: str, remedy: str) -> DataError:
        return DataError.at(self.place, None, f"{self.model!r} on {self.benchmark!r}: {problem}", remedy)
