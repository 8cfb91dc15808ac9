"""The learning rate over a run: linear warm-up, then cosine, linear or constant.

`lr_share(step)` is a pure function of the number of updates already done, so nothing of it needs to be saved: a resumed
run asks for its step's share. With w warm-up steps of T in all, and e the share at the end:

    step < w     step / w
    constant     1
    linear       e + (1 - e) (T - step) / (T - w)
    cosine       e + (1 - e) (1 + cos(pi (step - w) / (T - w))) / 2        (SGDR without restarts, arXiv 1608.03983)

These are the values of transformers' `get_{cosine,linear,constant}_schedule_with_warmup`, to the last bit.

Traps: the first update of a warm-up has rate 0, as there: it moves AdamW's means and no weight. A share of the steps is
taken as the decimal it was written as: ceil(0.07 * 100) is 8 in floats, and 7 steps are meant. Past T cosine would rise
again; here the rate stays at its end.
"""

from __future__ import annotations

import math
from fractions import Fraction

from torch.optim import Optimizer

from ray_pipeline.errors import SettingsError
from ray_pipeline.training.settings import ScheduleSettings


def warmup_steps(settings: ScheduleSettings, total: int) -> int:
    """How many of the run's `total` updates warm up."""
    if settings.warmup_share is not None:
        return math.ceil(Fraction(str(settings.warmup_share)) * total)
    steps = settings.warmup_steps or 0
    if steps > total:
        raise SettingsError(f"schedule.warmup_steps={steps} is longer than the run of {total} steps; warm up for less or train for longer")
    return steps


def lr_share(step: int, total: int, settings: ScheduleSettings) -> float:
    """The share of its peak that every learning rate has in the update after `step` updates."""
    warm = warmup_steps(settings, total)
    if step < warm:
        return step / warm
    if settings.kind == "constant":
        return 1.0
    done = min(step, total)
    if settings.kind == "linear":
        falling = (total - done) / max(1, total - warm)
    else:
        falling = 0.5 * (1.0 + math.cos(math.pi * ((done - warm) / max(1, total - warm))))
    return falling * (1.0 - settings.end_share) + settings.end_share


def set_lr(optimizer: Optimizer, share: float) -> None:
    """Every group's rate becomes its own peak times `share`."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * share
