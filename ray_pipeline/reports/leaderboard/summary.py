"""The closing summary: on which list each model is, benchmark by benchmark, and who holds out on which.

Rules. A sentence is made for each set of benchmarks on which some models are on a list, the largest sets first; a model stands in
the one sentence whose benchmarks are exactly those where it is on that list. With several baselines there is one more kind: better
on both than all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.reports.leaderboard.against import Baseline, reference
from ray_pipeline.reports.leaderboard.board import Board
from ray_pipeline.reports.leaderboard.lists import ListName, list_of


@dataclass(frozen=True)
class Record:
    """A model's lists by benchmark; a benchmark where it, or the baseline, has no row is left out."""

    model: str
    lists: Mapping[str, ListName]

    def on(self, name: ListName) -> tuple[str, ...]:
        """The benchmarks on which the model is on one list."""
        return tuple(benchmark for benchmark, found in self.lists.items() if found == name)


@dataclass(frozen=True)
class Group:
    """Models that are on one list on the same benchmarks."""

    benchmarks: tuple[str, ...]
    models: tuple[str, ...]


def records(board: Board, baseline: Baseline) -> list[Record]:
    """Every model but the baseline's own, in the board's order."""
    references = {benchmark: reference(baseline, standings) for benchmark, standings in board.benchmarks.items()}
    found = []
    for model in board.models:
        if model in baseline.models:
            continue
        lists = {
            benchmark: list_of(standings[model], against)
            for benchmark, standings in board.benchmarks.items()
            if model in standings and (against := references[benchmark]) is not None
        }
        found.append(Record(model, lists))
    return found


def groups(found: Sequence[Record], name: ListName) -> list[Group]:
    """The models on one list, by the benchmarks where they are; the most benchmarks first."""
    return _grouped({record.model: record.on(name) for record in found})


def better_than_all(board: Board, baselines: Sequence[Baseline]) -> list[Group]:
    """The models that are better on both than every baseline, by the benchmarks where they are."""
    each = [{record.model: record.on("better on both") for record in records(board, baseline)} for baseline in baselines]
    shared = [model for model in board.models if all(model in one for one in each)]
    return _grouped({model: tuple(name for name in each[0][model] if all(name in one[model] for one in each[1:])) for model in shared})


def _grouped(where: Mapping[str, tuple[str, ...]]) -> list[Group]:
    found: dict[tuple[str, ...], list[str]] = {}
    for model, benchmarks in where.items():
        if benchmarks:
            found.setdefault(benchmarks, []).append(model)
    return [Group(benchmarks, tuple(models)) for benchmarks, models in sorted(found.items(), key=lambda item: -len(item[0]))]
