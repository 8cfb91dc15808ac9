"""The books of a sweep without a cluster: what is kept, what is run again, what is told to the search, which trial is best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.artifacts import Attempt, Workspace
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.sweeps.book import TrialBook
from ray_pipeline.pipelines.sweeps.space import Values
from ray_pipeline.placement.tuner import Objective, Row

SCORE = Objective("score", True)


@dataclass
class Listed:
    """A search that proposes what it was given and remembers what it was told."""

    values: Sequence[dict[str, Any]]
    begun: list[int] = field(default_factory=list)
    told: dict[int, tuple[Sequence[tuple[int, float]], float | None]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.values)

    def propose(self, number: int) -> dict[str, Any]:
        return dict(self.values[number])

    def begin(self, number: int, values: Values) -> None:
        assert values == self.values[number]
        self.begun.append(number)

    def tell(self, number: int, curve: Sequence[tuple[int, float]], value: float | None) -> None:
        self.told[number] = (curve, value)


class Sweep:
    """Attempts at one sweep of four trials."""

    def __init__(self, folder: Path, objective: Objective = SCORE) -> None:
        self.workspace, self.objective = Workspace.at(str(folder)), objective

    def attempt(self, *, afresh: bool = False) -> TrialBook:
        attempt: Attempt = self.workspace.begin("sweep", "0" * 20)
        self.search = Listed([{"train.lr": number / 10} for number in range(4)])
        return TrialBook(attempt, {} if afresh else attempt.finished_shards(), self.search, self.objective, afresh=afresh)


def row(step: int, score: float, **more: float) -> Row:
    return {"step": float(step), "epoch": step / 10, "score": score, **more}


def answer(rows: Sequence[Row], ended: str = "finished", **more: Any) -> Mapping[str, Any]:
    return {"ended": ended, "why": f"because of {ended}", "artifact": "outputs/model/x", "evaluations": list(rows), "seconds": 2.0, **more}


def test_a_killed_sweep_goes_on_with_what_it_had_begun_and_never_repeats_what_ended(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    first = sweep.attempt()
    begun = [first.begin() for _ in range(3)]
    assert [(one.number, one.values, one.evaluations) for one in begun if one] == [(n, {"train.lr": n / 10}, ()) for n in range(3)]
    first.evaluated(0, row(5, 0.3))
    first.ended(0, "answered", answer([row(5, 0.3), row(9, 0.4)]))
    first.evaluated(2, row(5, 0.7))
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*/records/*.json")}
    assert len(files) == 1
    # killed here: 1 has said nothing, 2 has one evaluation, 3 was not begun
    second = sweep.attempt()
    assert sweep.search.told == {0: ((), 0.4)}  # told again, to a search that begins anew
    assert sweep.search.begun == [0, 1, 2]
    assert second.left() == 3
    assert second.known() == {0: [{"step": 5, "epoch": 0.5, "score": 0.3}, {"step": 9, "epoch": 0.9, "score": 0.4}]}
    begun = [second.begin() for _ in range(4)]
    assert [one and (one.number, len(one.evaluations)) for one in begun] == [(1, 0), (2, 1), (3, 0), None]
    second.evaluated(2, row(5, 0.7))  # from its checkpoint it may say again what is known
    assert second.rows[2] == [row(5, 0.7)]
    for number, score in ((1, 0.1), (2, 0.9), (3, 0.2)):
        second.ended(number, "answered", answer([row(9, score)]))
    assert second.best().number == 2  # type: ignore[union-attr]
    assert {path: path.stat().st_mtime_ns for path in files} == files
    third = sweep.attempt()
    assert (third.left(), third.begin()) == (0, None)
    assert third.trials() == second.trials()


def test_afresh_nothing_of_earlier_attempts_counts(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    book = sweep.attempt()
    book.begin()
    book.ended(0, "answered", answer([row(1, 0.5)]))
    book.begin()
    anew = sweep.attempt(afresh=True)
    assert (anew.left(), sweep.search.begun) == (4, [])


def test_how_trials_ended_and_what_the_search_hears_of_it(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    book = sweep.attempt()
    for _ in range(4):
        book.begin()
    book.ended(0, "answered", answer([row(1, 0.2), row(2, 0.8), row(3, 0.8)], "early stop"))
    book.ended(1, "answered", answer([row(1, 0.9), row(2, math.nan)], "collapsed"))
    book.evaluated(2, row(1, 0.1))
    book.ended(2, "stopped", None)
    book.ended(3, "answered", {"ended": "failed", "why": "lr and head do not fit", "artifact": None})
    by_number = {one.number: one for one in book.trials()}
    assert [by_number[number].ended for number in range(4)] == ["early stop", "collapsed", "stopped", "failed"]
    assert (by_number[0].best, by_number[0].best_step, by_number[0].last, by_number[0].last_step) == (0.8, 2, 0.8, 3)  # the first of equals
    assert (by_number[1].best, by_number[1].why) == (0.9, "because of collapsed")  # NaN is never best
    assert (by_number[2].best, by_number[2].artifact) == (0.1, None)
    assert (by_number[3].best, by_number[3].why) == (None, "lr and head do not fit")
    assert sweep.search.told == {0: ((), 0.8), 1: ((), None), 2: (((1, 0.1),), None), 3: ((), None)}
    assert book.best() == by_number[0]  # a collapsed one is not the best, however good it was
    reread = sweep.attempt()
    assert [one.ended for one in reread.trials()] == [one.ended for one in book.trials()]


def test_less_is_better_where_the_figure_is_a_loss_and_the_first_of_equals_wins(tmp_path: Path) -> None:
    book = Sweep(tmp_path, Objective("score", False)).attempt()
    for number, score in enumerate((0.5, 0.3, 0.3, 0.9)):
        book.begin()
        book.ended(number, "answered", answer([row(1, 1.0), row(2, score)]))
    best = book.best()
    assert best is not None
    assert (best.number, best.best, best.best_step) == (1, 0.3, 2)


def test_where_all_went_wrong_there_is_no_best(tmp_path: Path) -> None:
    book = Sweep(tmp_path).attempt()
    for number in range(4):
        book.begin()
        book.ended(number, "answered", answer([], "failed"))
    assert book.best() is None


def test_a_trial_whose_process_died_has_no_record_and_is_begun_again(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    book = sweep.attempt()
    book.begin()
    book.evaluated(0, row(1, 0.4))
    book.ended(0, "died", None)
    assert (book.died, book.left()) == ([0], 4)
    again = sweep.attempt().begin()
    assert again is not None
    assert (again.number, list(again.evaluations)) == (0, [row(1, 0.4)])


def test_a_figure_that_is_not_measured_is_refused_with_those_that_are(tmp_path: Path) -> None:
    book = Sweep(tmp_path, Objective("map@7", True)).attempt()
    book.begin()
    with pytest.raises(SettingsError, match="sweep.objective='map@7' is not measured here; there are epoch, recall@3, score, step"):
        book.evaluated(0, {**row(1, 0.5), "recall@3": 0.1})
