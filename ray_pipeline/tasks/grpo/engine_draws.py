"""Draws from engines: weights handed over and checked, rollouts drawn, judged, kept, and made into what is learned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.objectives.advantage import EgpoAdvantage
from ray_pipeline.rollout.drawing import Draw, Drawing
from ray_pipeline.rollout.parity import require_parity
from ray_pipeline.rollout.weights import write_weights
from ray_pipeline.rollout.writer import Writer
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.tasks.grpo.figures import Figured
from ray_pipeline.tasks.grpo.kept import Kept
from ray_pipeline.tasks.grpo.rollouts import learned_from, rollout_of
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.task import GrpoTask
from ray_pipeline.training.distributed import Group


@dataclass(frozen=True)
class Asked:
    """A draw, and how long it took."""

    draws: Sequence[Draw]
    seconds: float


class EngineDraws:
    """What `RolloutSource` asks. `folder`: where weights are handed over."""

    def __init__(self, engine: Writer, task: GrpoTask, drawing: Drawing, settings: GrpoTraining, folder: Path, kept: Kept, group: Group) -> None:
        self.engine, self.task, self.drawing, self.settings = engine, task, drawing, settings
        self.folder, self.kept, self.group = folder, kept, group
        self._handed = 0

    def hand_over(self, step: int) -> None:
        self.engine.wake()
        self.engine.take_weights(write_weights(self.task.model, self.folder, step), step)
        parity = self.settings.parity
        if self._handed % parity.every == 0:
            require_parity(self.engine, self.task.model, self.drawing.probes(parity.prompts), parity.most, step)
        self._handed += 1

    def ask(self, rows: NDArray[np.int64], number: int) -> Asked:
        started = time.monotonic()
        first = (number * self.group.world + self.group.rank) * self.settings.train.batch_size
        self.engine.wake()
        draws = self.drawing.draw(self.engine, rows.tolist(), first)
        self.kept.write(number, self.group.rank, draws)
        self.engine.rest()
        return Asked(draws, time.monotonic() - started)

    def let_go(self) -> None:
        self.engine.let_go()

    def learn(self, asked: Asked, step: int) -> RolloutBatch:
        return learned_batch(asked, step, self.task, self.settings, self.group)


def learned_batch(asked: Asked, step: int, task: GrpoTask, settings: GrpoTraining, group: Group) -> RolloutBatch:
    """What is learned from a draw, after so many steps, with the figures of it. Every rank calls it."""
    rollouts = [rollout_of(one) for one in asked.draws]
    found = learned_from(rollouts, settings, lambda batch: task.likelihoods(batch)[1])
    if isinstance(settings.advantage, EgpoAdvantage) and found.batch.idle:
        task.likelihoods(found.batch)  # other ranks ask, and under FSDP all of them have to
    figured = Figured(rollouts, [one.rewarded.parts for one in asked.draws], list(settings.reward.parts), found, step)
    speed = sum(sum(one.written) for one in rollouts) / max(asked.seconds, 1e-9)
    batch = replace(found.batch, figures={**figured.figures(group), "rollout_tokens_per_second": speed})
    return replace(batch, old=task.likelihoods(batch)[0]) if settings.updates.steps > 1 else batch
