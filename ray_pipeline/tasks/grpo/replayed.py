"""Draws that another training kept, learned from again: the same rollouts under other settings, without an engine, and the same bits each time.

What engines draw depends on what else they draw at the time, in its last bits; a replay does not. So it is by replays that a run which was stopped
is shown to end as one that was not.
"""

from __future__ import annotations

from dataclasses import dataclass

from ray_pipeline.artifacts import Artifact
from ray_pipeline.errors import DataError
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.tasks.grpo.engine_draws import Asked, learned_batch
from ray_pipeline.tasks.grpo.kept import draws_of
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.source import Rows
from ray_pipeline.tasks.grpo.task import GrpoTask
from ray_pipeline.training.distributed import Group


@dataclass(frozen=True)
class ReplayedDraws:
    """What `RolloutSource` asks, answered from an artifact's `rollouts/`."""

    kept: Artifact
    task: GrpoTask
    settings: GrpoTraining
    group: Group

    def hand_over(self, step: int) -> None:
        """Nobody needs the weights: nothing is drawn."""

    def ask(self, rows: Rows, number: int) -> Asked:
        """Whatever was drawn as this draw; `rows` are not looked at."""
        name = f"rollouts/{number:06d}-{self.group.rank:03d}.parquet"
        if not self.kept.files(name):
            raise DataError(f"{self.kept.location.uri}: it has no {name}: the training that kept it made fewer draws, or had fewer workers")
        return Asked(draws_of(self.kept.table(name)), 0.0)

    def let_go(self) -> None:
        """Reading is done at once."""

    def learn(self, asked: Asked, step: int) -> RolloutBatch:
        return learned_batch(asked, step, self.task, self.settings, self.group)
