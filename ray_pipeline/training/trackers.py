"""Figures of a run sent to TensorBoard, Weights & Biases or MLflow while it trains.

The run's own history is always written and needs none of these; a tracker only shows it elsewhere. Each is a client that
its package implements: TensorBoard writes event files under the run's folder, wandb follows its own WANDB_* variables
(WANDB_MODE=offline needs no account), MLflow sends to MLFLOW_TRACKING_URI, which must be set, since its default is the directory
that a worker happens to stand in.

A run that is resumed goes on under the same name in wandb and MLflow. It repeats the steps after its checkpoint, with equal
values: wandb ignores them, MLflow and TensorBoard (a further file of events) have them twice.

Trap: TensorBoard and MLflow allow no `@` in a name; `map@25` is `map_at_25` there.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Protocol

from ray_pipeline.errors import SettingsError
from ray_pipeline.training.settings import LoggingSettings, TrackerName

_PACKAGES: Final[dict[TrackerName, str]] = {"tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}
_LONGEST_PARAMETER: Final = 6000  # characters MLflow takes of one value


class Tracker(Protocol):
    """Where figures are shown."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


def check_trackers(names: Sequence[TrackerName]) -> None:
    """Refuse trackers that cannot work here; called before any work starts, on the machine that will log."""
    for name in names:
        package = _PACKAGES[name]
        if importlib.util.find_spec(package) is None:
            raise SettingsError(f"logging.trackers has {name}, whose package is not installed: pip install {package}, or leave {name} out")
    if "mlflow" in names and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise SettingsError("logging.trackers has mlflow, but MLFLOW_TRACKING_URI does not say where to: set it to the server's address")


def open_trackers(logging: LoggingSettings, folder: Path, run: str, settings: Mapping[str, Any]) -> Tracker:
    """All the trackers that are asked for, as one. `run` names the run and finds it again when it is resumed."""
    check_trackers(logging.trackers)
    with ExitStack() as closing:  # where one cannot be opened, those before it are closed
        opened: list[Tracker] = []
        for name in logging.trackers:
            tracker = _open(name, logging.project, folder, run, settings)
            closing.callback(tracker.close)
            opened.append(tracker)
        return _All(opened, closing.pop_all())


def _open(name: TrackerName, project: str, folder: Path, run: str, settings: Mapping[str, Any]) -> Tracker:
    if name == "tensorboard":
        return _TensorBoard(folder / name)
    return _Wandb(project, folder / name, run, settings) if name == "wandb" else _Mlflow(project, run, settings)


class _All:
    """Several trackers, or none, as one."""

    def __init__(self, trackers: Sequence[Tracker], closing: ExitStack) -> None:
        self._trackers = trackers
        self._closing = closing

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for tracker in self._trackers:
            tracker.log(step, values)

    def close(self) -> None:
        self._closing.close()


class _TensorBoard:
    def __init__(self, folder: Path) -> None:
        self._writer = importlib.import_module("tensorboardX").SummaryWriter(str(folder), flush_secs=30)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(_plain_name(name), value, global_step=step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, project: str, folder: Path, run: str, settings: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        wandb = importlib.import_module("wandb")
        self._run = wandb.init(project=project, dir=str(folder), name=run, id=run, resume="allow", config=dict(settings))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


class _Mlflow:
    def __init__(self, project: str, run: str, settings: Mapping[str, Any]) -> None:
        self._metric = importlib.import_module("mlflow.entities").Metric
        self._client = importlib.import_module("mlflow.tracking").MlflowClient()
        experiment = self._client.get_experiment_by_name(project)
        number = self._client.create_experiment(project) if experiment is None else experiment.experiment_id
        known = self._client.search_runs([number], f"attributes.run_name = '{run}'", max_results=1)
        self._run = known[0].info.run_id if known else self._client.create_run(number, run_name=run).info.run_id
        if known:
            self._client.update_run(self._run, status="RUNNING")
            return
        for key, value in _flat(settings):
            self._client.log_param(self._run, key, value[:_LONGEST_PARAMETER])

    def log(self, step: int, values: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        self._client.log_batch(self._run, metrics=[self._metric(_plain_name(name), value, now, step) for name, value in values.items()])

    def close(self) -> None:
        self._client.set_terminated(self._run)


def _plain_name(name: str) -> str:
    return name.replace("@", "_at_")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as dotted keys with JSON values."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value)
