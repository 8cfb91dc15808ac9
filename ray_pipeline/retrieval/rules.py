"""What may become a mined negative, how many are taken, and what happens when too few are left.

Ranks count from 0 in the ranking as it stands, positives included: `range=(2, 200)` is the slice [2:200], from which the
filters then remove. FlagEmbedding's `range_for_sampling` reads the same way; sentence-transformers removes first and
slices what is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ray_pipeline.errors import SettingsError

Sampling = Literal["top", "random", "softmax"]
Shortage = Literal["fewer", "widen", "fail"]


@dataclass(frozen=True)
class MiningRules:
    """The settings of mining. Every score bound keeps what lies exactly on it."""

    range: tuple[int, int] = (2, 200)
    """Ranks [lo, hi) to choose from, counted from 0 in the ranking as it stands."""
    negatives: int = 15
    """How many to take for each query."""
    sampling: Sampling = "random"
    """`top`: the best ranked; `random`: uniform; `softmax`: likelier the higher the score. Never with replacement."""
    temperature: float = 0.05
    """Softmax sampling takes weights exp(score / temperature)."""
    seed: int = 0
    """With the query's id, the only source of randomness."""
    margin_absolute: float | None = None
    """Keep a candidate if score <= lowest positive score - margin."""
    margin_relative: float | None = None
    """Keep a candidate if score <= positive - |positive| * margin (not positive * (1 - margin), which turns round below 0)."""
    min_score: float | None = None
    max_score: float | None = None
    teacher_max: float | None = None
    """Keep a candidate if the teacher's score is at most this; one the teacher did not score (NaN) is dropped."""
    shortage: Shortage = "fewer"
    """Too few survivors: `fewer` takes what is there, `widen` looks beyond the range with the same filters, `fail` stops."""
    widen_to: int | None = None
    """`widen` looks at ranks below this (default: twice hi), nearest to the range first, and at last at ranks below lo."""

    def __post_init__(self) -> None:
        low, high = self.range
        _require(0 <= low < high, "range", f"({low}, {high})", "needs 0 <= lo < hi")
        _require(self.negatives >= 1, "negatives", self.negatives, "must be at least 1")
        fits = high - low >= self.negatives
        _require(fits, "negatives", self.negatives, f"does not fit range ({low}, {high}): raise hi or ask for fewer")
        for field, choices in (("sampling", get_args(Sampling)), ("shortage", get_args(Shortage))):
            _require(getattr(self, field) in choices, field, getattr(self, field), f"must be one of {', '.join(choices)}")
        _require(math.isfinite(self.temperature) and self.temperature > 0, "temperature", self.temperature, "must be above 0")
        for field in ("margin_absolute", "margin_relative", "min_score", "max_score", "teacher_max"):
            value = getattr(self, field)
            _require(value is None or math.isfinite(value), field, value, "must be a finite number or left out")
        for field in ("margin_absolute", "margin_relative"):
            value = getattr(self, field)
            _require(value is None or value >= 0, field, value, "must not be negative")
        if self.min_score is not None and self.max_score is not None:
            _require(self.min_score <= self.max_score, "min_score", self.min_score, f"is above max_score={self.max_score}")
        _require(self.widen_to is None or self.widen_to > high, "widen_to", self.widen_to, f"must lie beyond range's hi={high}")

    @property
    def depth(self) -> int:
        """How many documents a query the ranking should hold for these rules."""
        if self.shortage != "widen":
            return self.range[1]
        return self.widen_to if self.widen_to is not None else 2 * self.range[1]

    @property
    def needs_positive_scores(self) -> bool:
        return self.margin_absolute is not None or self.margin_relative is not None


def _require(holds: bool, field: str, value: object, problem: str) -> None:
    if not holds:
        raise SettingsError(f"mining.{field}={value} {problem}")
