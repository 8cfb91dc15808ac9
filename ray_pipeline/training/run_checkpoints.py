"""What a run puts into a checkpoint, and takes out of it again.

Every rank takes part in a save: its generators' state is its own, and under FSDP so are its shards. The leader writes. What a
run goes on from is the leader's choice, announced by step, so that ranks which see a shared disk at different moments cannot
start from different checkpoints.

The number of ranks may have changed in between (elastic training, or a job started again with other workers): parameters and
averages are whole tensors and fit, the generators do not and are seeded anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

import torch
from torch import nn

from ray_pipeline.artifacts import File
from ray_pipeline.errors import ArtifactError
from ray_pipeline.models.trained_weights import load_parameters, parameter_tensors
from ray_pipeline.training.checkpoint import Checkpoint, Checkpoints
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.generators import generators_state, restore_generators, seed_generators
from ray_pipeline.training.guard import Guard
from ray_pipeline.training.optimizer_state import load_optimizer, optimizer_tensors
from ray_pipeline.training.run_state import RunState
from ray_pipeline.training.settings import TrainSettings
from ray_pipeline.training.task import Batch, Source


@dataclass
class RunCheckpoints(Generic[Batch]):
    """The moving parts of one run, and the checkpoints they go to."""

    checkpoints: Checkpoints
    settings: TrainSettings
    group: Group
    parameters: Mapping[str, nn.Parameter]
    optimizer: torch.optim.Optimizer
    source: Source[Batch]
    guard: Guard | None
    blocks: list[File] = field(default_factory=list)  # of the history, that lie on disk

    def save(self, state: RunState) -> None:
        """Everything as it is now; older checkpoints that are not to be kept go."""
        tensors = {"model": parameter_tensors(self.parameters), "optimizer": optimizer_tensors(self.parameters, self.optimizer)}
        ranks = self.group.gather_rows(generators_state(self.group.device))
        if self.group.leads:
            tensors["random"] = {f"{rank:05d}": one.cpu() for rank, one in enumerate(ranks)}
            self.blocks = self.checkpoints.append_history(self.blocks, state.history)
            guard = None if self.guard is None else self.guard.state_dict()
            values = {**state.as_json(), "source": self.source.state_dict(), "guard": guard}
            self.checkpoints.save(values, tensors, state.history, self.blocks)
            keep = self.settings.checkpoints
            wanted = {state.best_step} if keep.keep_best else set()
            wanted |= set(state.epoch_steps.values()) if keep.keep_epochs else set()
            self.checkpoints.thin_out(keep.keep_last, {step for step in wanted if step is not None})
        self.group.wait()

    def resume(self) -> RunState | None:
        """Put the newest checkpoint back, if there is one to go on from."""
        newest = self.checkpoints.newest() if self.group.leads else None
        step = self.group.from_leader(None if newest is None else newest.step)
        if step is None:
            return None
        found = self._at(step)
        load_parameters(self.parameters, found.tensors("model"), found.location.uri)
        load_optimizer(self.parameters, self.optimizer, found.tensors("optimizer"), found.location.uri)
        self.source.load_state_dict(found.state["source"])
        if self.guard is not None:
            self.guard.load_state_dict(found.state["guard"])
        self._restore_generators(found)
        self.blocks, history = self.checkpoints.history(found)
        return RunState.from_json(found.state, history)

    def load_weights(self, step: int) -> None:
        """Only what was trained, as it was after `step`."""
        found = self._at(step)
        load_parameters(self.parameters, found.tensors("model"), found.location.uri)

    def _at(self, step: int) -> Checkpoint:
        found = self.checkpoints.all()
        if step not in found:
            raise ArtifactError(f"{self.checkpoints.artifact.uri}: the checkpoint of step {step} is gone; train again with force=true")
        return found[step]

    def _restore_generators(self, found: Checkpoint) -> None:
        rows: dict[str, Any] = found.tensors("random")
        if len(rows) == self.group.world:
            restore_generators(rows[f"{self.group.rank:05d}"], self.group.device)
        else:
            seed_generators(self.settings.seed, self.group.rank, found.step)
