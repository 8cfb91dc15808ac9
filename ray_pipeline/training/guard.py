"""The collapse guard: says that a run has died, why it thinks so, and what to change.

A machine without side effects: facts go in after each step and each evaluation, at most one verdict comes out. Five rules:

* not_finite  the loss, the gradient norm or the evaluated figure is NaN or infinite. At once.
* stuck       after the warm-up, every loss of the last n steps lies within a tolerance of ln(candidates), what a model pays
              that tells nothing apart, and the second half of them is no lower than the first. Being near ln(candidates) is
              no fault in itself: every curve that starts above it passes through.
* cosine      vectors fall together: the mean cosine of unrelated texts stays above a level AND the spread, 1 - cosine, has
              shrunk to a share of the largest that the run has had (a median of a few steps). The level alone would accuse
              an anisotropic base model, which may begin above 0.9 and has done nothing yet; the shrinking alone would
              accuse a model whose vectors moved from 0.0 to 0.5.
* gradient    the norm (before clipping) is many times its running median for many steps in a row. Clipping makes a single
              spike harmless, and the median starts after the warm-up, since adapters that begin at zero have small gradients
              for their first steps. Spikes do not enter the median they are measured by.
* metric      the evaluated figure has lost a share of its best: 0.2137 -> 0.0662 is a collapse, 0.2201 -> 0.2114 is not.

Whether to stop, and what to go back to, is the loop's business. The state is plain JSON values, so that a resumed run is
watched as if it had not been interrupted.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Final, Literal

from ray_pipeline.training.settings import GuardSettings

Kind = Literal["not_finite", "stuck", "cosine", "gradient", "metric"]
_PROGRESS: Final = 0.1  # of the tolerance: how much lower the later losses must be to count as progress
_SPREAD_STEPS: Final = 5  # steps whose median is a spread of the run: one odd batch does not set the mark


@dataclass(frozen=True)
class StepFacts:
    """What one step says about the run's health."""

    step: int  # updates done, this one included
    loss: float  # mean over the step's queries
    grad_norm: float  # before clipping
    chance_loss: float | None = None  # ln(candidates a query): the loss of a model that tells nothing apart; null where there is no such
    off_diagonal_cosine: float | None = None  # mean cosine of a query and the documents of others


@dataclass(frozen=True)
class Verdict:
    """Why the run should stop, in words."""

    kind: Kind
    step: int
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}"


class Guard:
    """The state of the five rules."""

    def __init__(self, settings: GuardSettings, *, lr: float, warmup_steps: int, metric: str = "the metric", greater_is_better: bool = True) -> None:
        self._settings = settings
        self._lr = lr
        self._warmup_steps = warmup_steps
        self._metric = metric
        self._greater_is_better = greater_is_better
        self._excess: deque[float] = deque(maxlen=settings.stuck_steps)  # loss / chance - 1
        self._cosines: deque[float] = deque(maxlen=max(settings.cosine_steps, _SPREAD_STEPS))
        self._widest = 0.0  # the largest spread
        self._norms: deque[float] = deque(maxlen=settings.spike_window)
        self._spikes = 0
        self._best: float | None = None

    def step(self, facts: StepFacts) -> Verdict | None:
        """Judge the run after one more step."""
        if not (math.isfinite(facts.loss) and math.isfinite(facts.grad_norm)):
            return self._not_finite(facts)
        verdicts = [self._stuck(facts), self._fallen_together(facts), self._exploding(facts)]  # all of them: each keeps its own count
        return next((verdict for verdict in verdicts if verdict is not None), None)

    def evaluated(self, step: int, value: float) -> Verdict | None:
        """Judge the run after an evaluation."""
        if not math.isfinite(value):
            return Verdict("not_finite", step, f"{self._metric} is {value} at step {step}: the model's vectors are not numbers.", self._calmer())
        best = self._best
        if best is None or (value > best if self._greater_is_better else value < best):
            self._best = value
            return None
        kept = 1 - self._settings.metric_fall
        if best <= 0 or (value >= kept * best if self._greater_is_better else value * kept <= best):
            return None
        word = "fell" if self._greater_is_better else "rose"
        bound = f"guard.metric_fall={self._settings.metric_fall:g}"
        reason = (
            f"{self._metric} {word} from its best, {best:.4f}, to {value:.4f} at step {step}, further than {bound} allows: the model has unlearned."
        )
        return Verdict("metric", step, reason, self._calmer())

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "excess": list(self._excess),
            "cosines": list(self._cosines),
            "widest": self._widest,
            "norms": list(self._norms),
            "spikes": self._spikes,
            "best": self._best,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for mine, saved in ((self._excess, state["excess"]), (self._cosines, state["cosines"]), (self._norms, state["norms"])):
            mine.clear()
            mine.extend(saved)
        self._widest, self._spikes, self._best = state["widest"], state["spikes"], state["best"]

    def _not_finite(self, facts: StepFacts) -> Verdict:
        loss = not math.isfinite(facts.loss)
        what = f"the loss is {facts.loss}" if loss else f"the gradient norm is {facts.grad_norm} (the loss is {facts.loss:.4g})"
        reason = f"{what} at step {facts.step}: the weights are about to become not-a-number."
        return Verdict("not_finite", facts.step, reason, f"{self._calmer()} Or train in precision=fp32 if it was bf16.")

    def _stuck(self, facts: StepFacts) -> Verdict | None:
        if facts.chance_loss is None or facts.chance_loss <= 0 or facts.step <= self._warmup_steps:
            return None
        self._excess.append(facts.loss / facts.chance_loss - 1)
        tolerance, length = self._settings.stuck_tolerance, self._settings.stuck_steps
        if len(self._excess) < length or max(map(abs, self._excess)) > tolerance:
            return None
        losses = list(self._excess)
        if fmean(losses[length // 2 :]) < fmean(losses[: length // 2]) - _PROGRESS * tolerance:
            return None
        candidates = f"ln({math.exp(facts.chance_loss):,.0f})={facts.chance_loss:.2f}"
        reason = (
            f"the loss stayed within {100 * tolerance:g}% of {candidates} for {length} steps (now {facts.loss:.4f}): no pair is told from another."
        )
        remedy = f"{self._calmer()} Or check that queries stand beside their own documents, and that the temperature is not far too high."
        return Verdict("stuck", facts.step, reason, remedy)

    def _fallen_together(self, facts: StepFacts) -> Verdict | None:
        cosine = facts.off_diagonal_cosine
        if cosine is None:
            return None
        if not math.isfinite(cosine):
            return Verdict("not_finite", facts.step, f"the mean cosine is {cosine} at step {facts.step}: a vector is not a number.", self._calmer())
        self._cosines.append(cosine)
        recent = list(self._cosines)
        if len(recent) >= _SPREAD_STEPS:
            self._widest = max(self._widest, median(1 - one for one in recent[-_SPREAD_STEPS:]))
        length, level = self._settings.cosine_steps, self._settings.cosine_level
        lowest = min(recent[-length:])
        if len(recent) < length or lowest <= level or 1 - lowest > self._settings.cosine_shrink * self._widest:
            return None
        reason = (
            f"the mean cosine of unrelated texts stayed above {level:g} for {length} steps (now {cosine:.4f}), "
            f"up from {1 - self._widest:.4f}: all vectors are falling together."
        )
        return Verdict("cosine", facts.step, reason, f"{self._calmer()} Or use larger batches, or a lower temperature.")

    def _exploding(self, facts: StepFacts) -> Verdict | None:
        if facts.step <= self._warmup_steps:
            return None
        usual = median(self._norms) if len(self._norms) == self._settings.spike_window else None
        if usual is None or usual == 0 or facts.grad_norm <= self._settings.spike_factor * usual:
            self._norms.append(facts.grad_norm)
            self._spikes = 0
            return None
        self._spikes += 1
        if self._spikes < self._settings.spike_steps:
            return None
        reason = (
            f"the gradient norm was more than {self._settings.spike_factor:g} times its running median of {usual:.3g} "
            f"for {self._spikes} steps in a row (now {facts.grad_norm:.3g}): the weights are being thrown about."
        )
        return Verdict("gradient", facts.step, reason, f"{self._calmer()} Or lower clip_norm.")

    def _calmer(self) -> str:
        return f"Lower optimizer.lr (now {self._lr:g}) or lengthen schedule.warmup_steps (now {self._warmup_steps})."
