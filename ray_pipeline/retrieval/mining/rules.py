"""What may become a mined negative, how many are taken, and what happens when too few are left.

Ranks count from 0 in the ranking as it stands, positives included: `range=(2, 200)` is the slice [2:200], from which the
filters then remove. FlagEmbedding's `range_for_sampling` reads the same way; sentence-transformers removes first and
slices what is left.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity

Sampling = Literal["top", "random", "softmax"]
Shortage = Literal["fewer", "widen", "fail"]


class MiningRules(Settings):
    """The settings of mining. Every score bound keeps what lies exactly on it."""

    range: tuple[int, int] = identity((2, 200), "ranks [lo, hi) to choose from, counted from 0 in the ranking as it stands")
    negatives: int = identity(15, "how many to take for each query", ge=1)
    sampling: Sampling = identity("random", "top: the best ranked; random: uniform; softmax: likelier the higher the score; never with replacement")
    temperature: float = identity(0.05, "softmax sampling takes weights exp(score / temperature)", gt=0)
    seed: int = identity(0, "with the query's id, the only source of randomness")
    margin_absolute: float | None = identity(None, "keep a candidate if score <= lowest positive score - margin", ge=0)
    margin_relative: float | None = identity(None, "keep a candidate if score <= positive - |positive| * margin", ge=0)
    min_score: float | None = identity(None, "keep a candidate if its score is at least this")
    max_score: float | None = identity(None, "keep a candidate if its score is at most this")
    teacher_max: float | None = identity(None, "keep a candidate if the teacher's score is at most this; unscored ones are dropped")
    only_positives: bool = identity(
        False, "take only documents that are a positive of some query here: what has no example (an unseen label) is then not pushed away"
    )
    shortage: Shortage = identity("fewer", "too few survivors: fewer takes what is there, widen looks beyond the range, fail stops")
    widen_to: int | None = identity(None, "widen looks at ranks below this (twice hi where null), then at ranks below lo")

    @model_validator(mode="after")
    def _makes_sense(self) -> MiningRules:
        low, high = self.range
        _require(0 <= low < high, f"range=({low}, {high}) needs 0 <= lo < hi")
        _require(high - low >= self.negatives, f"negatives={self.negatives} do not fit range ({low}, {high}): raise hi or ask for fewer")
        if self.min_score is not None and self.max_score is not None:
            _require(self.min_score <= self.max_score, f"min_score={self.min_score} is above max_score={self.max_score}")
        _require(self.widen_to is None or self.widen_to > high, f"widen_to={self.widen_to} must lie beyond range's hi={high}")
        return self

    @property
    def depth(self) -> int:
        """How many documents a query the ranking should hold for these rules."""
        if self.shortage != "widen":
            return self.range[1]
        return self.widen_to if self.widen_to is not None else 2 * self.range[1]

    @property
    def needs_positive_scores(self) -> bool:
        return self.margin_absolute is not None or self.margin_relative is not None


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
