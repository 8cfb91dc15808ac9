"""Who looks on while a run goes: the console, trackers, whoever sweeps over many runs.

An observer is told; it decides nothing. On all ranks but the first nobody looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray_pipeline.training.console import Console
from ray_pipeline.training.free_memory import used_bytes
from ray_pipeline.training.trackers import Tracker

Row = Mapping[str, Any]


class Observer:
    """Looks away; the others look at some of it."""

    def step(self, row: Row) -> None: ...

    def evaluation(self, row: Row) -> None: ...

    def resumed(self, history: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


class Observers(Observer):
    """Several as one."""

    def __init__(self, *observers: Observer) -> None:
        self.observers = observers

    def step(self, row: Row) -> None:
        for one in self.observers:
            one.step(row)

    def evaluation(self, row: Row) -> None:
        for one in self.observers:
            one.evaluation(row)

    def resumed(self, history: Sequence[Row]) -> None:
        for one in self.observers:
            one.resumed(history)

    def close(self) -> None:
        for one in self.observers:
            one.close()


class ConsoleObserver(Observer):
    """A line now and then, and one an evaluation."""

    def __init__(self, console: Console, say: Callable[[str], None], device: str, shown: Sequence[str]) -> None:
        self.console, self.say, self.device, self.shown = console, say, device, shown

    def step(self, row: Row) -> None:
        self.console.step(row["step"], row["epoch"], row["loss"], row["lr"], row["tokens"], used_bytes(self.device))

    def evaluation(self, row: Row) -> None:
        figures = "  ".join(f"{name} {row[name]:.4f}" for name in self.shown if name in row)
        self.say(f"evaluation at step {row['step']:,} (epoch {row['epoch']:.2f}): {figures}")

    def resumed(self, history: Sequence[Row]) -> None:
        self.console.already = max((row["step"] for row in history), default=0)


class TrackerObserver(Observer):
    """Every figure, to the trackers."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def step(self, row: Row) -> None:
        self._log("train", row)

    def evaluation(self, row: Row) -> None:
        self._log("eval", row)

    def _log(self, part: str, row: Row) -> None:
        figures = {f"{part}/{name}": float(value) for name, value in row.items() if isinstance(value, int | float) and name != "step"}
        self.tracker.log(row["step"], figures)

    def close(self) -> None:
        self.tracker.close()


class ReportObserver(Observer):
    """Evaluations, to whoever compares runs. Unlike the others it looks on from every rank: reporting is a barrier."""

    def __init__(self, report: Callable[[Mapping[str, float]], None]) -> None:
        self.report = report

    def evaluation(self, row: Row) -> None:
        self.report({name: float(value) for name, value in row.items() if isinstance(value, int | float)})
