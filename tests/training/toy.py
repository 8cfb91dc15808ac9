"""A task small enough to run thousands of steps: a network with dropout that fits rows, and metrics that a test writes down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ray_pipeline.config import parse
from ray_pipeline.storage import Location
from ray_pipeline.training.checkpoint import Checkpoints
from ray_pipeline.training.distributed import Group, without_sync
from ray_pipeline.training.epochs import EpochSource
from ray_pipeline.training.loop import Loop
from ray_pipeline.training.observers import Observer
from ray_pipeline.training.optimizer import ParameterKind
from ray_pipeline.training.run_state import Ending
from ray_pipeline.training.settings import TrainSettings

ROWS = 23
Rows = NDArray[np.int64]


def rows_of(numbers: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs [n, 4], targets [n] and weights [n] of numbered rows."""
    x = torch.stack([torch.sin(torch.arange(4.0) * (row + 1)) for row in numbers.tolist()])
    return x, x.sum(dim=1) + 1, torch.tensor([1.0 + row % 3 for row in numbers.tolist()])


class ToyTask:
    """Weighted squared error; `metrics` are handed out evaluation by evaluation, or the mean error where there are none."""

    def __init__(self, metrics: Sequence[float] | None = None, *, dropout: float = 0.2, group: Group = Group(), double: bool = False) -> None:  # noqa: B008
        torch.manual_seed(1)
        layers = nn.ModuleList([nn.Linear(4, 6), nn.Linear(6, 6)])
        self.model: nn.Module = _Network(layers, dropout)
        if double:
            self.model.double()
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64 if double else torch.float32))
        self.metrics, self.group = None if metrics is None else list(metrics), group
        self.measured = 0
        self.poison: Callable[[float], float] = lambda loss: loss
        self._wrapped: nn.Module = self.model

    def kinds(self) -> Mapping[str, ParameterKind]:
        names = [name for name, _ in self.model.named_parameters()]
        return {**dict.fromkeys(names, "body"), "scale": "head"}

    def own_parameters(self) -> Mapping[str, nn.Parameter]:
        return {"scale": self.scale}

    def wrapped(self, model: nn.Module) -> None:
        self._wrapped = model

    def count(self, batch: Rows) -> float:
        return float(rows_of(self._mine(batch))[2].sum())

    def _mine(self, batch: Rows) -> Rows:
        return batch[self.group.share(len(batch))]

    def backward(self, batch: Rows, scale: float, sync: bool) -> dict[str, float]:
        x, y, weight = (one.to(self.scale.dtype) for one in rows_of(self._mine(batch)))
        with nullcontext() if sync else without_sync(self._wrapped):
            loss = (weight * (self.scale * self._wrapped(x) - y) ** 2).sum()
            poisoned = self.poison(float(loss.detach()))
            (loss * scale * (poisoned / float(loss.detach()))).backward()
        return {"loss": poisoned, "tokens": float(x.numel())}

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        self.measured += 1
        if self.metrics is not None:
            return {"score": self.metrics[self.measured - 1]}
        self.model.eval()
        x, y, _ = (one.to(self.scale.dtype) for one in rows_of(np.arange(ROWS)))
        error = float(((self.scale * self.model(x) - y) ** 2).mean())
        self.model.train()
        return {"score": -error}


class _Network(nn.Module):
    def __init__(self, layers: nn.ModuleList, dropout: float) -> None:
        super().__init__()
        self.layers, self.dropout, self.out = layers, nn.Dropout(dropout), nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.dropout(torch.tanh(layer(x)))
        found: Tensor = self.out(x)[:, 0]
        return found


def settings_of(**given: Any) -> TrainSettings:
    """Three epochs of batches of 4, two to a step: 6 batches, 3 steps an epoch."""
    usual: dict[str, Any] = {
        "epochs": 3.0,
        "batch_size": 4,
        "accumulate": 2,
        "optimizer": {"lr": 0.01, "lr_head": 0.02},
        "schedule": {"kind": "linear", "warmup_steps": 2},
        "evaluation": {"metric": "score"},
    }
    return parse(TrainSettings, {**usual, **given})


def plan(settings: TrainSettings, rows: int = ROWS) -> Callable[[int], list[Rows]]:
    def of(epoch: int) -> list[Rows]:
        order = np.random.default_rng([settings.seed, epoch]).permutation(rows)
        return [order[start : start + settings.batch_size] for start in range(0, rows, settings.batch_size)]

    return of


def source_of(settings: TrainSettings, rows: int = ROWS) -> EpochSource[Rows]:
    return EpochSource(plan(settings, rows), lambda batch, epoch: batch, settings)


class Stop(Exception):
    """The run is interrupted."""


class StopAt(Observer):
    """Interrupts the run after a step, or before the evaluation of that step is saved."""

    def __init__(self, step: int, when: str = "step") -> None:
        self.at, self.when = step, when

    def step(self, row: Mapping[str, Any]) -> None:
        if self.when == "step" and row["step"] == self.at:
            raise Stop

    def evaluation(self, row: Mapping[str, Any]) -> None:
        if self.when == "evaluation" and row["step"] == self.at:
            raise Stop


def loop_of(
    folder: Path, settings: TrainSettings, task: ToyTask | None = None, *, attempt: str = "a", observer: Observer | None = None, anew: bool = False
) -> Loop[Rows]:
    task = task or ToyTask()
    checkpoints = Checkpoints(Location.of(str(folder)), f"attempts/{attempt}", anew)
    return Loop(task, source_of(settings), settings, task.group, checkpoints, observer or Observer())


def facts(loop: Loop[Rows], ending: Ending) -> dict[str, Any]:
    """All that two runs have to agree on, to the last bit."""
    from ray_pipeline.models.trained_weights import parameter_tensors
    from ray_pipeline.training.optimizer_state import optimizer_tensors

    history = [{name: value for name, value in row.items() if name != "seconds"} for row in ending.history]
    return {
        "history": history,
        "ending": (ending.how, ending.why, ending.steps, ending.chosen_step, ending.best_value),
        "weights": {name: one.tolist() for name, one in parameter_tensors(loop.parameters).items()},
        "optimizer": {name: one.tolist() for name, one in optimizer_tensors(loop.parameters, loop.optimizer).items()},
        "guard": None if loop.guard is None else loop.guard.state_dict(),
    }


def steps_of(rows: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    return (int(row["step"]) for row in rows if row["kind"] == "step")
