"""Rollouts as a source of steps: drawn with the weights that are there, learned from, and then there are new weights.

Prompts come in an order that is a pure function of the epoch, so the place among them is two numbers, and a run that was killed goes on with the
prompts that the killed one would have learned from next: none is lost, none trained twice. What was drawn ahead of time and not learned from is
drawn again. A draw whose every group is uniform teaches nothing; the next prompts are asked instead, at most `watch.most_silent` times in a row.

A draw may be learned from in several steps (`updates`); a run that is stopped between them goes on with those that are left, from a file that
holds the batch as it was.

Ranks draw for prompts of their own and step together: where one has nothing to learn from while others have, it takes part with what it drew,
weighing nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ray_pipeline.errors import SettingsError, TrainingError
from ray_pipeline.tasks.grpo.ahead import Ahead
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.tasks.grpo.update_settings import UpdateSettings
from ray_pipeline.tasks.grpo.watch import Watch
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.settings import TrainSettings
from ray_pipeline.training.task import Step

Rows = NDArray[np.int64]
Plan = Callable[[int], Sequence[Rows]]  # epoch -> the prompts of each of its batches
Asked = TypeVar("Asked")


class Draws(Protocol[Asked]):
    """Who draws, and has the weights to draw with."""

    def hand_over(self, step: int) -> None:
        """Give the engine the policy's weights as they are after so many steps."""

    def ask(self, rows: Rows, number: int) -> Asked:
        """Rollouts of these prompts; it may run while the policy learns. `number`: of the draw, which decides its seeds."""

    def let_go(self) -> None:
        """From another thread: give up what is being drawn."""

    def learn(self, asked: Asked, step: int) -> RolloutBatch:
        """What is learned from them; `idle` where it is nothing."""


class Unfinished(Protocol):
    """Where a batch is kept while it is learned from in several steps."""

    def write(self, batch: RolloutBatch, draw: int) -> None: ...

    def read(self, draw: int) -> RolloutBatch: ...


class RolloutSource(Generic[Asked]):
    """Steps of one batch each. `ahead` and `drops`: see `ahead.py`."""

    def __init__(
        self,
        plan: Plan,
        draws: Draws[Asked],
        settings: TrainSettings,
        group: Group,
        watch: Watch,
        updates: UpdateSettings,
        unfinished: Unfinished,
        ahead: int = 0,
        drops: bool = False,
    ) -> None:
        if settings.accumulate != 1:
            raise SettingsError(f"train.accumulate={settings.accumulate}: a draw is one step; raise train.batch_size instead")
        self._plan, self._draws, self._group, self._watch = plan, draws, group, watch
        self._updates, self._unfinished, self._ahead, self._drops = updates, unfinished, ahead, drops
        self._planned: dict[int, Sequence[Rows]] = {}
        self._planning = threading.Lock()  # both who asks ahead and who learns want to know
        self._epoch, self._batch, self._drawn = 0, 0, 0  # the next batch to learn from, and draws so far
        self._place = (0, 0)  # the batch that the last draw began with
        self._taken, self._left = 0, 0  # steps so far, and those that are left of the last draw
        self._spent = 0.0  # seconds that went into rollouts since the last step
        self._asking: Ahead[tuple[Rows, int], Asked] | None = None
        batches = len(self._batches(0))
        self._total = settings.max_steps or int((settings.epochs or 0) * batches) * updates.steps
        if not self._total or not batches:
            raise SettingsError(f"train.batch_size={settings.batch_size}: no batch of prompts can be made; give more prompts, or smaller batches")

    def total_steps(self) -> int:
        return self._total

    def state_dict(self) -> dict[str, Any]:
        counts = {"epoch": self._epoch, "batch": self._batch, "drawn": self._drawn, "taken": self._taken, "left": self._left}
        return {**counts, "place": list(self._place), "watch": self._watch.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        names = ("epoch", "batch", "drawn", "taken", "left")
        self._epoch, self._batch, self._drawn, self._taken, self._left = (int(state[name]) for name in names)
        self._place = (int(state["place"][0]), int(state["place"][1]))
        self._watch.load_state_dict(state["watch"])

    def after_update(self, model: nn.Module, step: int, row: Mapping[str, Any]) -> None:
        self._watch.step(row)
        if step < self._total and not self._left and self._asking is not None:
            started = time.monotonic()
            self._asking.stepped(self._learned(), lambda: self._draws.hand_over(step), self._any)
            self._spent += time.monotonic() - started

    def __iter__(self) -> Iterator[Step[RolloutBatch]]:
        if self._left:
            yield from self._steps(self._unfinished.read(self._drawn - 1))
        started = time.monotonic()
        if self._taken < self._total:
            self._draws.hand_over(self._taken)
        self._spent += time.monotonic() - started
        draws = -(-self._total // self._updates.steps)
        asks = self._asks(self._epoch, self._batch, self._drawn)
        with closing(Ahead(asks, lambda ask: self._draws.ask(*ask), self._draws.let_go, draws, self._learned(), self._ahead, self._drops)) as asking:
            self._asking = asking
            while self._taken < self._total:
                started, self._place = time.monotonic(), (self._epoch, self._batch)
                batch = self._teaching(asking)
                spent, self._spent = self._spent + time.monotonic() - started, 0.0
                batch = replace(batch, figures={**batch.figures, "rollout_seconds": spent / self._updates.steps})
                self._left = self._updates.steps
                if self._left > 1:
                    self._unfinished.write(batch, self._drawn - 1)
                yield from self._steps(batch)

    def _steps(self, batch: RolloutBatch) -> Iterator[Step[RolloutBatch]]:
        """Those that are left of a draw."""
        parts, steps, (epoch, number) = batch.in_parts(self._updates.parts), self._updates.steps, self._place
        batches = len(self._batches(epoch))
        begun, ended = number / batches, self._batch / batches if self._epoch == epoch else 1.0
        while self._left and self._taken < self._total:
            done = steps - self._left
            self._left -= 1
            self._taken += 1
            share = ended - begun
            yield Step(
                (parts[done % len(parts)],), epoch, begun + share * done / steps, ended if not self._left else begun + share * (done + 1) / steps
            )

    def _learned(self) -> int:
        """Draws that were learned from."""
        return self._taken // self._updates.steps

    def _asks(self, epoch: int, batch: int, number: int) -> Iterator[tuple[Rows, int]]:
        """This rank's prompts of each draw, from here on."""
        while True:
            rows = self._batches(epoch)[batch]
            yield rows[self._group.share(len(rows))], number
            number += 1
            epoch, batch = (epoch, batch + 1) if batch + 1 < len(self._batches(epoch)) else (epoch + 1, 0)

    def _teaching(self, asking: Ahead[tuple[Rows, int], Asked]) -> RolloutBatch:
        """The next draw that teaches some rank something."""
        for _ in range(self._watch.most_silent):
            found = self._draws.learn(asking.next(), self._taken)
            self._drawn += 1
            self._batch += 1
            if self._batch == len(self._batches(self._epoch)):
                self._epoch, self._batch = self._epoch + 1, 0
            if self._any(not found.idle):
                return found
        raise TrainingError(
            f"{self._watch.most_silent} draws in a row (watch.most_silent) taught nothing: all rollouts of each prompt were worth the same; make the "
            "task easier or harder for this policy, reward parts of it (reward.parts.*.kind=partial), or draw more rollouts of each prompt"
        )

    def _any(self, found: bool) -> bool:
        """Whether it is so on some rank."""
        return bool(self._group.sum({"found": float(found)})["found"])

    def _batches(self, epoch: int) -> Sequence[Rows]:
        with self._planning:
            if epoch not in self._planned:
                self._planned = {known: rows for known, rows in self._planned.items() if known >= self._place[0]}
                self._planned[epoch] = [rows for rows in self._plan(epoch) if len(rows) >= self._group.world]
            return self._planned[epoch]
