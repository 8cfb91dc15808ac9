"""Rollouts as a source of steps: drawn with the weights that are there, learned from once, and then there are new weights.

Prompts come in an order that is a pure function of the epoch, so the place among them is two numbers, and a run that was killed goes on with the
prompts that the killed one would have asked next: none is lost, none trained twice. A draw whose every group is uniform teaches nothing; the
next prompts are asked instead, at most `most_silent` times in a row.

Ranks draw for prompts of their own and step together: where one has nothing to learn from while others have, it takes part with what it drew,
weighing nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ray_pipeline.errors import SettingsError, TrainingError
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.settings import TrainSettings
from ray_pipeline.training.task import Step

Rows = NDArray[np.int64]
Plan = Callable[[int], Sequence[Rows]]  # epoch -> the prompts of each of its batches
MOST_SILENT: Final = 20


class Draws(Protocol):
    """Who draws, and has the weights to draw with."""

    def hand_over(self, step: int) -> None:
        """Give the engine the policy's weights as they are after so many steps."""

    def draw(self, rows: Rows, number: int) -> RolloutBatch:
        """What is learned from rollouts of these prompts; `idle` where it is nothing. `number`: of the draw, which decides its seeds."""


class RolloutSource:
    """Steps of one batch each. `most_silent`: draws in a row that may teach nothing."""

    def __init__(self, plan: Plan, draws: Draws, settings: TrainSettings, group: Group, most_silent: int = MOST_SILENT) -> None:
        if settings.accumulate != 1:
            raise SettingsError(f"train.accumulate={settings.accumulate}: a draw is one step; raise train.batch_size instead")
        self._plan, self._draws, self._group, self._most_silent = plan, draws, group, most_silent
        self._planned: tuple[int, Sequence[Rows]] = (-1, ())
        self._epoch, self._batch, self._drawn = 0, 0, 0  # the next batch to ask, and draws so far
        self._taken = 0
        self._total = settings.max_steps or int((settings.epochs or 0) * len(self._batches(0)))
        if not self._total or not len(self._batches(0)):
            raise SettingsError(f"train.batch_size={settings.batch_size}: no batch of prompts can be made; give more prompts, or smaller batches")

    def total_steps(self) -> int:
        return self._total

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self._epoch, "batch": self._batch, "drawn": self._drawn, "taken": self._taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._epoch, self._batch, self._drawn, self._taken = (int(state[name]) for name in ("epoch", "batch", "drawn", "taken"))

    def after_update(self, model: nn.Module, step: int) -> None:
        if step < self._total:
            self._draws.hand_over(step)

    def __iter__(self) -> Iterator[Step[RolloutBatch]]:
        self._draws.hand_over(self._taken)
        while self._taken < self._total:
            epoch, number = self._epoch, self._batch
            batch = self._teaching()
            self._taken += 1
            batches = len(self._batches(epoch))
            yield Step((batch,), epoch, number / batches, self._batch / batches if self._epoch == epoch else 1.0)

    def _teaching(self) -> RolloutBatch:
        """The next draw that teaches some rank something."""
        for _ in range(self._most_silent):
            rows = self._batches(self._epoch)[self._batch]
            found = self._draws.draw(rows[self._group.share(len(rows))], self._drawn)
            self._drawn += 1
            self._batch += 1
            if self._batch == len(self._batches(self._epoch)):
                self._epoch, self._batch = self._epoch + 1, 0
            if self._group.sum({"teaches": float(not found.idle)})["teaches"]:
                return found
        raise TrainingError(
            f"{self._most_silent} draws in a row taught nothing: all rollouts of each prompt were worth the same; make the task easier or harder for "
            "this policy, reward parts of it (reward.parts.*.kind=partial), or draw more rollouts of each prompt"
        )

    def _batches(self, epoch: int) -> Sequence[Rows]:
        if self._planned[0] != epoch:
            self._planned = (epoch, [rows for rows in self._plan(epoch) if len(rows) >= self._group.world])
        return self._planned[1]
