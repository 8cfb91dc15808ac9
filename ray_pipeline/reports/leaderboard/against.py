"""Models against a baseline: a model, or the column-by-column best of a named set.

Rules. A difference is the model's figure less the baseline's; the speedup is the baseline's time over the model's. The best of a
set takes the lowest time and the highest Pass@1 wherever they come from, so no model need be as good. A difference is coloured by
what is printed: one that prints as 0, and a speedup that prints as 1.00x, is neither better nor worse. A baseline model has no row
in its own table; the members of a set do, since they are not equal to their best.

Trap. A member of a set without a row on a benchmark makes the baseline there weaker: `absent` names it, and the pages say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, log10
from typing import Final, Literal

from ray_pipeline.data.leaderboards.standing import Range, Standing
from ray_pipeline.reports.leaderboard.board import Board, pass_interval

Side = Literal["better", "worse"]
SPEEDUP_DIGITS: Final = 2
PASS_DIGITS: Final = 4
COLOURS: Final[Mapping[Side, str]] = {"better": "#1ABD76", "worse": "#E33D30"}


@dataclass(frozen=True)
class Baseline:
    """What models are held against: one model, or several whose best counts."""

    models: tuple[str, ...]

    @property
    def is_a_model(self) -> bool:
        return len(self.models) == 1

    def check(self, board: Board) -> None:
        for model in self.models:
            board.require(model)


@dataclass(frozen=True)
class Reference:
    """A baseline on one benchmark: its figures and whose they are."""

    baseline: Baseline
    fastest: Standing
    most_correct: Standing
    absent: tuple[str, ...]
    time_digits: int

    @property
    def avg_time(self) -> float:
        return self.fastest.avg_time

    @property
    def pass_at_1(self) -> float:
        return self.most_correct.pass_at_1


@dataclass(frozen=True)
class Difference:
    """A model against a reference."""

    standing: Standing
    avg_time: float
    speedup: float
    pass_at_1: float
    intervals_apart: bool | None  # of both Pass@1; None where one is not known
    time_digits: int

    @property
    def avg_time_side(self) -> Side | None:
        return _side(-round(self.avg_time, self.time_digits))

    @property
    def speedup_side(self) -> Side | None:
        return _side(round(self.speedup, SPEEDUP_DIGITS) - 1)

    @property
    def pass_at_1_side(self) -> Side | None:
        return _side(round(self.pass_at_1, PASS_DIGITS))


def reference(baseline: Baseline, standings: Mapping[str, Standing]) -> Reference | None:
    """The baseline on a benchmark, None where none of its models has a row."""
    there = [standings[model] for model in baseline.models if model in standings]
    if not there:
        return None
    absent = tuple(model for model in baseline.models if model not in standings)
    return Reference(baseline, min(there, key=lambda one: one.avg_time), max(there, key=lambda one: one.pass_at_1), absent, time_digits(standings))


def time_digits(standings: Mapping[str, Standing]) -> int:
    """How many decimals the times of a benchmark are printed with: two, and more where the shortest would lose its first four digits."""
    return max(2, 3 - floor(log10(min(one.avg_time for one in standings.values()))))


def differences(standings: Mapping[str, Standing], against: Reference) -> list[Difference]:
    """Every row against a reference, in order."""
    own = against.baseline.models if against.baseline.is_a_model else ()
    return [_difference(one, against) for one in standings.values() if one.model not in own]


def _difference(one: Standing, against: Reference) -> Difference:
    ours, theirs = pass_interval(one), pass_interval(against.most_correct)
    apart = None if ours is None or theirs is None or one is against.most_correct else _apart(ours, theirs)
    speedup = against.avg_time / one.avg_time
    return Difference(one, one.avg_time - against.avg_time, speedup, one.pass_at_1 - against.pass_at_1, apart, against.time_digits)


def _apart(ours: Range, theirs: Range) -> bool:
    return ours.low > theirs.high or ours.high < theirs.low


def _side(gain: float) -> Side | None:
    return "better" if gain > 0 else "worse" if gain < 0 else None
