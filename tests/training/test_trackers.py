from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from ray_pipeline.errors import SettingsError
from ray_pipeline.training.settings import LoggingSettings, TrackerName
from ray_pipeline.training.trackers import check_trackers, open_trackers


def asking_for(*names: TrackerName) -> LoggingSettings:
    return LoggingSettings(trackers=names, project="eedi")


def events(folder: Path) -> list[Any]:
    """Every event of every file: a record is its length, a checksum, its bytes, a checksum."""
    found = []
    for file in sorted(folder.glob("events*")):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return found


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    return [(event.step, value.tag, value.simple_value) for event in events(folder) for value in event.summary.value]


def test_no_tracker_is_no_trouble(tmp_path: Path) -> None:
    tracker = open_trackers(asking_for(), tmp_path, "run", {})
    tracker.log(1, {"loss": 1.0})
    tracker.close()
    assert not list(tmp_path.iterdir())


def test_tensorboard_files_hold_what_was_logged(tmp_path: Path) -> None:
    tracker = open_trackers(asking_for("tensorboard"), tmp_path, "run", {})
    tracker.log(1, {"loss": 1.5, "lr": 0.25})
    tracker.log(2, {"loss": float("nan"), "map@25": 0.125})
    tracker.close()
    found = scalars(tmp_path / "tensorboard")
    assert [(step, name) for step, name, _ in found] == [(1, "loss"), (1, "lr"), (2, "loss"), (2, "map_at_25")]
    assert [value for _, _, value in found if value == value] == [1.5, 0.25, 0.125]


@pytest.mark.parametrize(("name", "package"), [("tensorboard", "tensorboardX"), ("wandb", "wandb"), ("mlflow", "mlflow")])
def test_an_absent_package_is_named_with_its_remedy(name: TrackerName, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SettingsError, match=rf"logging\.trackers has {name}, .*pip install {package}, or leave {name} out"):
        check_trackers([name])
    with pytest.raises(SettingsError, match="pip install"):
        open_trackers(asking_for(name), tmp_path, "run", {})
    assert not list(tmp_path.iterdir())


class FakeRun:
    def __init__(self) -> None:
        self.calls: list[Any] = []

    def log(self, values: dict[str, float], step: int) -> None:
        self.calls.append((step, values))

    def finish(self) -> None:
        self.calls.append("finished")


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(__spec__=SimpleNamespace(name=name), **members))


def test_wandb_is_told_the_run_its_settings_and_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, started = FakeRun(), []
    stand_in(monkeypatch, "wandb", init=lambda **given: started.append(given) or run)
    tracker = open_trackers(asking_for("wandb"), tmp_path, "model-1a2b", {"seed": 3})
    tracker.log(5, {"map@25": 0.5})
    tracker.close()
    place = tmp_path / "wandb"
    assert place.is_dir()
    expected = {"project": "eedi", "dir": str(place), "name": "model-1a2b", "id": "model-1a2b", "resume": "allow", "config": {"seed": 3}}
    assert started == [expected]
    assert run.calls == [(5, {"map@25": 0.5}), "finished"]


def test_mlflow_needs_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SettingsError, match="MLFLOW_TRACKING_URI"):
        check_trackers(["mlflow"])


class FakeMlflow:
    """The part of MlflowClient that is used, with one experiment."""

    def __init__(self, runs: list[str]) -> None:
        self.runs, self.calls = runs, list[Any]()

    def get_experiment_by_name(self, name: str) -> None:
        self.calls.append(("experiment", name))

    def create_experiment(self, name: str) -> str:
        return "7"

    def search_runs(self, experiments: list[str], wanted: str, max_results: int) -> list[Any]:
        return [SimpleNamespace(info=SimpleNamespace(run_id=run)) for run in self.runs if wanted == f"attributes.run_name = '{run}'"]

    def create_run(self, experiment: str, run_name: str) -> Any:
        self.runs.append(run_name)
        return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

    def update_run(self, run: str, status: str) -> None:
        self.calls.append(("status", run, status))

    def log_param(self, run: str, key: str, value: str) -> None:
        self.calls.append(("parameter", key, value))

    def log_batch(self, run: str, metrics: list[Any]) -> None:
        self.calls.append(("metrics", run, [(name, value, step) for name, value, _, step in metrics]))

    def set_terminated(self, run: str) -> None:
        self.calls.append(("ended", run))


def test_mlflow_logs_settings_once_and_figures_by_names_it_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://nowhere")
    runs: list[str] = []
    clients: list[FakeMlflow] = []

    def connect() -> FakeMlflow:
        clients.append(FakeMlflow(runs))
        return clients[-1]

    stand_in(monkeypatch, "mlflow")
    stand_in(monkeypatch, "mlflow.entities", Metric=lambda *given: given)
    stand_in(monkeypatch, "mlflow.tracking", MlflowClient=connect)
    for step in (1, 2):
        tracker = open_trackers(asking_for("mlflow"), tmp_path, "model-1a2b", {"optimizer": {"lr": 0.5}, "long": "x" * 9000})
        tracker.log(step, {"map@25": 0.5})
        tracker.close()
    began, resumed = (client.calls for client in clients)
    assert began == [
        ("experiment", "eedi"),
        ("parameter", "optimizer.lr", "0.5"),
        ("parameter", "long", '"' + "x" * 5999),
        ("metrics", "model-1a2b", [("map_at_25", 0.5, 1)]),
        ("ended", "model-1a2b"),
    ]
    assert resumed[1:] == [("status", "model-1a2b", "RUNNING"), ("metrics", "model-1a2b", [("map_at_25", 0.5, 2)]), ("ended", "model-1a2b")]


def test_where_one_cannot_be_opened_those_before_it_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = FakeRun()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://nowhere")

    def refuse() -> None:
        raise ConnectionError("nobody there")

    stand_in(monkeypatch, "wandb", init=lambda **given: run)
    stand_in(monkeypatch, "mlflow")
    stand_in(monkeypatch, "mlflow.entities", Metric=tuple)
    stand_in(monkeypatch, "mlflow.tracking", MlflowClient=refuse)
    with pytest.raises(ConnectionError, match="nobody there"):
        open_trackers(asking_for("wandb", "mlflow"), tmp_path, "run", {})
    assert run.calls == ["finished"]
