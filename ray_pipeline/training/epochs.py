"""A source of steps out of rows that are shuffled anew each epoch.

The plan of an epoch is a pure function of its number, so the place in the data is two integers, and every rank plans for
itself. The next step is made ready (drawn, tokenised) by a thread while the present one trains.

Batches with fewer rows than ranks are left out: a rank without a row could not take part in the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ray_pipeline.errors import SettingsError
from ray_pipeline.training.settings import TrainSettings
from ray_pipeline.training.task import Batch, Step

Rows = NDArray[np.int64]
Plan = Callable[[int], Sequence[Rows]]  # epoch -> the rows of each of its batches
Make = Callable[[Rows, int], Batch]  # rows, epoch -> this rank's part of the batch, ready to train on


class EpochSource(Generic[Batch]):
    """Steps of `settings.accumulate` batches, epoch after epoch."""

    def __init__(self, plan: Plan, make: Make[Batch], settings: TrainSettings) -> None:
        self._plan, self._make, self._settings = plan, make, settings
        self._planned: tuple[int, list[Rows]] = (-1, [])
        self._epoch, self._step = 0, 0  # the next step to take
        self._taken = 0
        self._total = self._count()

    def total_steps(self) -> int:
        return self._total

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self._epoch, "step": self._step, "taken": self._taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._epoch, self._step, self._taken = int(state["epoch"]), int(state["step"]), int(state["taken"])

    def after_update(self, model: nn.Module, step: int, row: Mapping[str, Any]) -> None:
        """Rows in a file do not depend on the weights."""

    def __iter__(self) -> Iterator[Step[Batch]]:
        with ThreadPoolExecutor(1, "next-step") as ahead:
            coming = ahead.submit(self._ready, self._epoch, self._step)
            while self._taken < self._total:
                step, self._epoch, self._step = coming.result()
                self._taken += 1
                if self._taken < self._total:
                    coming = ahead.submit(self._ready, self._epoch, self._step)
                yield step

    def _ready(self, epoch: int, number: int) -> tuple[Step[Batch], int, int]:
        """A step, and the epoch and number of the one behind it. Only here, in one thread, are epochs planned once steps are taken."""
        batches, size = self._batches(epoch), self._settings.accumulate
        steps = math.ceil(len(batches) / size)
        taken = tuple(self._make(rows, epoch) for rows in batches[number * size : (number + 1) * size])
        step = Step(taken, epoch, number / steps, (number + 1) / steps)
        return (step, epoch, number + 1) if number + 1 < steps else (step, epoch + 1, 0)

    def _batches(self, epoch: int) -> list[Rows]:
        known, batches = self._planned
        if known != epoch:
            batches = [rows for rows in self._plan(epoch) if len(rows) >= self._settings.distributed.workers]
            if not batches:
                raise SettingsError(
                    f"epoch {epoch} has no batch with a row for each of {self._settings.distributed.workers} workers; "
                    "raise train.batch_size, or train with fewer workers"
                )
            self._planned = (epoch, batches)
        return batches

    def _steps_of(self, epoch: int) -> int:
        return math.ceil(len(self._batches(epoch)) / self._settings.accumulate)

    def _count(self) -> int:
        """All steps of the run. Epochs may differ by a batch, so each is planned once."""
        limit = self._settings.max_steps
        if self._settings.epochs is None:
            self._batches(0)  # what no batch can be made of is refused here, before any step
            return int(limit or 0)
        left, total = Fraction(str(self._settings.epochs)), 0
        for epoch in range(math.ceil(left)):
            total += math.ceil(min(Fraction(1), left - epoch) * self._steps_of(epoch))
            if limit is not None and total >= limit:
                return limit
        return total
