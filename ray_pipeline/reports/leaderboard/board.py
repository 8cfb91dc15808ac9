"""All standings by benchmark, in the order in which they were given."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ray_pipeline.data.leaderboards.standing import Range, Standing
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.significance import wilson_interval


@dataclass(frozen=True)
class Board:
    """Standings by benchmark and model."""

    benchmarks: Mapping[str, Mapping[str, Standing]]

    @property
    def models(self) -> tuple[str, ...]:
        """All models, in the order in which they come first."""
        return tuple(dict.fromkeys(model for standings in self.benchmarks.values() for model in standings))

    @property
    def rows(self) -> int:
        return sum(len(standings) for standings in self.benchmarks.values())

    def require(self, model: str) -> None:
        """Refuse a name that no row has."""
        if model not in self.models:
            raise DataError(f"no row is of the model {model!r}{nearest(model, self.models)}; the models are {', '.join(self.models)}")


def board_of(standings: Iterable[Standing]) -> Board:
    """The board of rows from any files; a model may have one row a benchmark."""
    found: dict[str, dict[str, Standing]] = {}
    for one in standings:
        there = found.setdefault(one.benchmark, {})
        if one.model in there:
            said = f"{one.model!r} is on {one.benchmark!r} twice: here and at {there[one.model].place}"
            raise DataError.at(one.place, None, said, "leave one of the rows, or give the runs names of their own")
        there[one.model] = one
    if not found:
        raise DataError("there are no results; give a file with a row a model and benchmark")
    return Board(found)


def nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def pass_interval(one: Standing) -> Range | None:
    """The interval of Pass@1: the one that was given, else Wilson's over the problems, which is too wide rather than too narrow since
    it takes every problem for solved or not, where several samples would say how nearly."""
    if one.pass_interval is not None or one.problems is None:
        return one.pass_interval
    found = wilson_interval(round(one.pass_at_1 * one.problems), one.problems)
    # The count is rounded to whole problems, so the figure itself may lie a hair outside at 0 and 1.
    return Range(min(found.low, one.pass_at_1), max(found.high, one.pass_at_1))
