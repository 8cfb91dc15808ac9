"""Who is told what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray_pipeline.training.console import Console
from ray_pipeline.training.observers import ConsoleObserver, Observer, Observers, ReportObserver, Row, TrackerObserver
from tests.training.toy import loop_of, settings_of

STEP = {"kind": "step", "step": 3, "epoch": 0.5, "loss": 2.0, "lr": 1e-4, "grad_norm": 1.5, "tokens": 700, "seconds": 0.1}
EVALUATION = {"kind": "evaluation", "step": 3, "epoch": 0.5, "map@25": 0.25, "eval_loss": 1.5, "recall@25": 0.75}


class Noted(Observer):
    """Everything it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def step(self, row: Row) -> None:
        self.told.append(("step", row["step"]))

    def evaluation(self, row: Row) -> None:
        self.told.append(("evaluation", row["step"]))

    def resumed(self, history: Any) -> None:
        self.told.append(("resumed", len(history)))

    def close(self) -> None:
        self.told.append(("close", None))


def test_several_are_one() -> None:
    first, second = Noted(), Noted()
    both = Observers(first, Observers(second))
    both.step(STEP)
    both.evaluation(EVALUATION)
    both.resumed([STEP, STEP])
    both.close()
    assert first.told == second.told == [("step", 3), ("evaluation", 3), ("resumed", 2), ("close", None)]


def test_who_looks_away_is_told_and_does_nothing() -> None:
    idle = Observer()
    assert [idle.step(STEP), idle.evaluation(EVALUATION), idle.resumed([]), idle.close()] == [None] * 4  # type: ignore[func-returns-value]


def test_the_loop_tells_in_order(tmp_path: Path) -> None:
    noted = Noted()
    loop_of(tmp_path, settings_of(epochs=2.0), observer=noted).run()
    steps = [("step", 1), ("step", 2), ("step", 3), ("evaluation", 3), ("step", 4), ("step", 5), ("step", 6), ("evaluation", 6)]
    assert noted.told == [("evaluation", 0), *steps]
    again = Noted()
    loop_of(tmp_path, settings_of(epochs=2.0), observer=again, attempt="b").run()
    assert again.told == [("resumed", 9)]


def test_the_console_says_steps_and_the_shown_figures() -> None:
    said: list[str] = []
    console = Console(10, 0.0, write=said.append)
    looker = ConsoleObserver(console, said.append, "cpu", ("eval_loss", "map@25", "unseen/map@25"))
    looker.step(STEP)
    looker.evaluation(EVALUATION)
    assert said[0].startswith("step 3 of 10 (30%)  epoch 0.50  loss 2.0000  lr 1.00e-04")
    assert said[1] == "evaluation at step 3 (epoch 0.50): eval_loss 1.5000  map@25 0.2500"


def test_steps_of_an_earlier_start_took_no_time_here() -> None:
    console = Console(10, 0.0, write=lambda line: None)
    looker = ConsoleObserver(console, lambda line: None, "cpu", ())
    looker.resumed([{"kind": "evaluation", "step": 0}, {"kind": "step", "step": 4}, {"kind": "step", "step": 5}])
    assert console.already == 5
    looker.resumed([])
    assert console.already == 0


class Shown:
    """A tracker that keeps what it is shown."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.closed = False

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.rows.append((step, dict(values)))

    def close(self) -> None:
        self.closed = True


def test_a_tracker_is_shown_every_figure_and_closed() -> None:
    tracker = Shown()
    looker = TrackerObserver(tracker)
    looker.step(STEP)
    looker.evaluation(EVALUATION)
    looker.close()
    names = {"train/epoch": 0.5, "train/loss": 2.0, "train/lr": 1e-4, "train/grad_norm": 1.5, "train/tokens": 700.0, "train/seconds": 0.1}
    assert tracker.rows == [(3, names), (3, {"eval/epoch": 0.5, "eval/map@25": 0.25, "eval/eval_loss": 1.5, "eval/recall@25": 0.75})]
    assert tracker.closed


def test_a_report_is_of_evaluations_only() -> None:
    reported: list[Mapping[str, float]] = []
    looker = ReportObserver(reported.append)
    looker.step(STEP)
    looker.evaluation(EVALUATION)
    assert reported == [{"step": 3.0, "epoch": 0.5, "map@25": 0.25, "eval_loss": 1.5, "recall@25": 0.75}]
