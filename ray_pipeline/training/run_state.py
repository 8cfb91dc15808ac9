"""Where a run stands: steps, the best so far, its record, how it ended. Plain JSON values, so that a checkpoint holds all of it.

The best is the best by any gain, so that the weights which are kept really are the best. Patience is stricter: it counts from
the last evaluation that was better than the one it counted from before by more than `min_delta`, so that a run which creeps
upwards for ever in steps of a hair is stopped, and one that climbs as much in five small steps is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ray_pipeline.training.settings import EvaluationSettings


@dataclass
class RunState:
    """Grows with the run."""

    step: int = 0
    best_step: int | None = None
    best_value: float | None = None
    mark: float | None = None  # the value that patience counts from
    without_gain: int = 0  # evaluations since then
    epoch_steps: dict[str, int] = field(default_factory=dict)  # the step each epoch ended with
    ended: str | None = None  # "finished", "early stop" or "collapsed"
    why: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)  # a row a step and an evaluation (history.py)

    def as_json(self) -> dict[str, Any]:
        """All but the history, which is too long to be written at every checkpoint."""
        return {name: value for name, value in asdict(self).items() if name != "history"}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], history: list[dict[str, Any]]) -> RunState:
        return cls(**{one.name: values[one.name] for one in fields(cls) if one.name != "history"}, history=history)

    def evaluated(self, value: float, settings: EvaluationSettings) -> None:
        """Take note of an evaluation after the present step. A figure that is no number is never the best."""
        sign = 1 if settings.greater_is_better else -1
        if math.isfinite(value) and (self.best_value is None or sign * (value - self.best_value) > 0):
            self.best_step, self.best_value = self.step, value
        if math.isfinite(value) and (self.mark is None or sign * (value - self.mark) > settings.min_delta):
            self.mark, self.without_gain = value, 0
        else:
            self.without_gain += 1

    def out_of_patience(self, settings: EvaluationSettings) -> bool:
        return settings.patience is not None and self.without_gain >= settings.patience

    def train_loss(self) -> dict[str, float]:
        """The mean loss of the steps since the evaluation before, if there were any."""
        losses: list[float] = []
        for row in reversed(self.history):
            if row["kind"] == "evaluation":
                break
            losses.append(row["loss"])
        return {"train_loss": sum(losses) / len(losses)} if losses else {}


@dataclass(frozen=True)
class Ending:
    """How a run ended, and what the model holds now."""

    how: str
    why: str
    steps: int
    chosen_step: int  # whose weights the model has
    best_value: float | None
    history: list[dict[str, Any]]
