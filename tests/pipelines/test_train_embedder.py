"""The stage of a training: what it publishes and from what, and through Ray: killed, robbed of its worker, and on two workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from ray_pipeline.artifacts import Artifact, Workspace, damaged, lineage
from ray_pipeline.config import parse
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.errors import DataError
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines import on_workers
from ray_pipeline.pipelines.prepare import GeneratedData, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_embedder import TrainingInputs, train_embedder, trained_model
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.rows import RowSettings
from tests.processes import JobProcess, title
from tests.tasks.tiny_training import without_dropout

MODEL = {"max_length": 24, "precision": "fp32"}
BRIEF = {"train": {"max_steps": 3, "batch_size": 8, "evaluation": {"query_share": 0.5}}, "micro": {"token_budget": 512, "keep_tokens": 512}}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.at(str(tmp_path_factory.mktemp("workspace")))


@pytest.fixture(scope="module")
def data(workspace: Workspace) -> PreparedData:
    return prepare(Run(workspace, ClusterSettings()), parse(GeneratedData, {"rows": 80}))


def model_at(folder: Path | str) -> EmbedderSettings:
    return parse(EmbedderSettings, {"name": str(folder), **MODEL})


def training_of(*changes: Mapping[str, Any]) -> EmbedderTraining:
    whole: dict[str, Any] = json.loads(json.dumps(BRIEF))
    for change in changes:
        for name, value in change.items():
            whole[name] = {**whole.get(name, {}), **value} if isinstance(value, Mapping) else value
    return parse(EmbedderTraining, whole)


class Alone:
    """In place of one of Ray Train's workers."""

    rank, world, device = 0, 1, "cpu"

    def __init__(self) -> None:
        self.said: list[str] = []
        self.answered: Any = None

    def say(self, line: str) -> None:
        self.said.append(line)

    def report(self, metrics: Mapping[str, float]) -> None: ...

    def answer(self, value: Any) -> None:
        self.answered = json.loads(json.dumps(value))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[Alone]:
    """Trainings run in this process; each leaves its worker here."""
    workers: list[Alone] = []

    def run(work: Callable[[Any], None], count: int, cluster: ClusterSettings, *, least: int | None = None) -> Any:
        torch.set_num_threads(1)
        workers.append(Alone())
        work(workers[-1])
        return workers[-1].answered

    monkeypatch.setattr(on_workers, "run_together", run)
    return workers


def learned(artifact: Artifact) -> dict[str, Any]:
    """All of a training's result that does not tell the time, to the last bit."""
    rows = [json.loads(line) for line in artifact.file("history.jsonl").read().decode().splitlines()]
    files = {entry["name"]: entry["file"]["sha256"] for entry in artifact.manifest["files"] if entry["name"].endswith((".safetensors", "epochs.md"))}
    return {
        "history": [{name: value for name, value in row.items() if name != "seconds"} for row in rows],
        "files": files,
        "metrics": artifact.metrics,
    }


# ---- in this process


def test_what_it_is_made_from_and_that_it_is_made_once(workspace: Workspace, data: PreparedData, tiny_model: Path, alone: list[Alone]) -> None:
    run = Run(workspace, ClusterSettings())
    first = train_embedder(run, TrainingInputs(data), model_at(tiny_model), training_of(), RowSettings())
    assert damaged(first) == []
    assert [(name, given.kind if not isinstance(given, Artifact) else "artifact") for _, name, given in lineage(first)] == [
        ("data", "artifact"),
        ("model", "model"),
    ]
    again = train_embedder(Run(workspace, ClusterSettings()), TrainingInputs(data), model_at(tiny_model), training_of(), RowSettings())
    assert again.location == first.location and len(alone) == 1
    # placement leaves it what it is
    elsewhere = training_of({"train": {"checkpoints": {"every_steps": 1}, "logging": {"console_every": 1.0}}})
    assert train_embedder(run, TrainingInputs(data), model_at(tiny_model), elsewhere, RowSettings()).location == first.location
    left = [path.name for path in Path(first.location.uri).glob("attempts/*/checkpoints/*/*") if path.name != "state.json"]
    assert left and set(left) == {"model.safetensors"}  # published: nobody will go on from them

    second = train_embedder(run, TrainingInputs(data), trained_model(first, model_at(tiny_model)), training_of(), RowSettings())
    assert second.fingerprint != first.fingerprint
    ancestors = [given.location.uri for _, name, given in lineage(second) if name == "model" and isinstance(given, Artifact)]
    assert ancestors == [first.location.uri]  # a model that was trained here is followed further back


def test_force_trains_anew_and_takes_nothing_over(workspace: Workspace, data: PreparedData, tiny_model: Path, alone: list[Alone]) -> None:
    training = training_of({"train": {"seed": 5}})
    first = train_embedder(Run(workspace, ClusterSettings()), TrainingInputs(data), model_at(tiny_model), training, RowSettings())
    forced = train_embedder(Run(workspace, ClusterSettings(), force=True), TrainingInputs(data), model_at(tiny_model), training, RowSettings())
    assert len(alone) == 2 and not any("going on" in line for line in alone[1].said)
    assert learned(forced) == learned(first)
    assert forced.file("history.jsonl") != first.file("history.jsonl")


def test_a_collapsed_run_is_a_result_that_says_so(workspace: Workspace, data: PreparedData, tiny_model: Path, alone: list[Alone]) -> None:
    """Planted: a rate of 1e3 without warm-up or clipping."""
    wild = {"train": {"max_steps": 40, "epochs": 20.0, "optimizer": {"lr": 1e3}, "schedule": {"kind": "constant"}, "clip_norm": None}}
    found = train_embedder(Run(workspace, ClusterSettings()), TrainingInputs(data), model_at(tiny_model), training_of(wild), RowSettings())
    assert found.metrics["ended"] == "collapsed"
    assert "Lower optimizer.lr (now 1000)" in found.metrics["why"]
    assert found.metrics["chosen_step"] == 0 and found.metrics["after"] == found.metrics["before"]
    kept = load(found.file("checkpoints/step-00000000.safetensors").read())
    assert all(torch.isfinite(one).all() for one in kept.values())
    assert damaged(found) == []


def test_what_is_refused_publishes_nothing(workspace: Workspace, data: PreparedData, tiny_model: Path, alone: list[Alone]) -> None:
    training = training_of({"objective": {"distill_weight": 0.5}, "batches": {"negatives_per_query": 1}})
    before = {one.location.uri for one in workspace.artifacts()}
    with pytest.raises(DataError, match="of no query did the teacher score two documents"):
        train_embedder(Run(workspace, ClusterSettings()), TrainingInputs(data), model_at(tiny_model), training, RowSettings())
    assert {one.location.uri for one in workspace.artifacts()} == before


# ---- on Ray


def test_two_workers_learn_what_one_process_does(
    workspace: Workspace, data: PreparedData, tiny_model: Path, ray_session: ClusterSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = without_dropout(tiny_model, tmp_path)
    found = {}
    for workers in (2, 1):
        training = training_of({"train": {"distributed": {"workers": workers}, "optimizer": {"lr": 1e-3, "eps": 1e-4}, "accumulate": 2}})
        if workers == 1:
            monkeypatch.setattr(on_workers, "run_together", _in_this_process)
        found[workers] = train_embedder(Run(workspace, ray_session), TrainingInputs(data), model_at(calm), training, RowSettings())
    two, one = (learned(found[workers]) for workers in (2, 1))
    assert found[2].fingerprint != found[1].fingerprint  # last bits differ, so they are two models
    assert two["metrics"]["steps"] == one["metrics"]["steps"] == 3
    for row, expected in zip(two["history"], one["history"], strict=True):
        assert row.pop("kind") == expected.pop("kind")
        assert row == pytest.approx(expected, rel=1e-4)
    name = f"checkpoints/step-{found[1].metrics['chosen_step']:08d}.safetensors"
    weights = load(found[2].file(name).read())
    for key, value in load(found[1].file(name).read()).items():
        torch.testing.assert_close(weights[key], value, rtol=1e-4, atol=1e-5)


def _in_this_process(work: Callable[[Any], None], count: int, cluster: ClusterSettings, *, least: int | None = None) -> Any:
    worker = Alone()
    work(worker)
    return worker.answered


class Job(JobProcess):
    """`jobs.train_embedder`, slowly."""

    def __init__(self, workspace: Path, model: Path) -> None:
        words = [
            *(f"workspace={workspace}", "data=misconceptions", "data.rows=80"),
            *(f"model.name={model}", "model.max_length=24", "model.precision=fp32"),
            *("train.epochs=8", "train.batch_size=4", "train.accumulate=2", "train.optimizer.lr=1e-3", "train.checkpoints.every_steps=2"),
            *("train.evaluation.query_share=0.5", "train.evaluation.every_epochs=2", "train.evaluation.patience=9"),
            *("micro.token_budget=32", "micro.keep_tokens=0"),  # a text or two at a time: slow
            "train.guard=null",  # it unlearns, and the guard would end it before it can be killed a second time
            *("cluster.cpus=2", "cluster.logical_gpus=0", "cluster.object_store_mb=80", "cluster.threads_per_worker=1"),
        ]
        super().__init__("jobs.train_embedder", words, workspace, workers="RayTrainWorker")

    def step(self) -> int:
        """Of the newest checkpoint."""
        return max(
            (int(path.parent.name.removeprefix("step-")) for path in self.workspace.glob("model/*/attempts/*/checkpoints/*/state.json")), default=0
        )

    def wait_for_step(self, step: int) -> None:
        self.wait_for(lambda: self.step() >= step, f"step {step}")


def test_killed_and_robbed_of_its_worker_it_learns_the_same_bits(tmp_path: Path, tiny_model: Path, alone: list[Alone]) -> None:
    """Through Ray, the driver and then the worker killed, against a training in this process that nobody disturbed."""
    workspace = tmp_path / "w"
    killed = Job(workspace, tiny_model)
    killed.wait_for_step(6)
    killed.kill()
    reached = killed.step()
    assert not list(workspace.glob("model/*/manifest.json"))

    robbed = Job(workspace, tiny_model)
    robbed.wait_for_step(reached + 4)
    assert not any("Autoscaling" in title(pid) for pid in robbed.started)  # no node can join: nobody is started to ask for one
    robbed.kill_one("RayTrainWorker")
    assert robbed.wait_for_the_end() == 0, robbed.said.read_text()
    said = robbed.said.read_text()
    assert f"going on from the checkpoint of step {reached} of" in said
    assert said.count("going on from the checkpoint of step") == 2  # of the job's start, and of the worker's second
    assert "Traceback" not in said

    found = next(one for one in Workspace.at(str(workspace)).artifacts() if one.stage == "model")
    assert damaged(found) == []
    settings = found.manifest["settings"]
    undisturbed = train_embedder(
        Run(Workspace.at(str(tmp_path / "undisturbed")), ClusterSettings()),
        TrainingInputs(next(PreparedData(one) for one in Workspace.at(str(workspace)).artifacts() if one.stage == "data")),
        parse(EmbedderSettings, settings["model"]),
        parse(EmbedderTraining, settings["training"]),
        parse(RowSettings, settings["rows"]),
    )
    assert undisturbed.fingerprint == found.fingerprint
    assert learned(found) == learned(undisturbed)
    steps = [row["step"] for row in learned(found)["history"] if row["kind"] == "step"]
    assert steps == list(range(1, len(steps) + 1)) and len(steps) > reached + 4


def test_an_evaluation_that_holds_training_queries_is_refused(workspace: Workspace, data: PreparedData, tiny_model: Path) -> None:
    run = Run(workspace, ClusterSettings())
    joined = prepare(run, parse(GeneratedData, {"rows": 80, "reasoning": "join"}))
    TrainingInputs(joined, evaluation=data).require_apart(RowSettings())
    with pytest.raises(DataError, match=r"query '\w+' is in split 'train' of .*, which is trained on, and in split 'train' of .* split both alike"):
        train_embedder(run, TrainingInputs(joined, evaluation=data), model_at(tiny_model), training_of(), RowSettings(eval_split="train"))
    other = prepare(run, parse(GeneratedData, {"rows": 80, "seed": 1}))  # the same ids, other texts
    TrainingInputs(other, evaluation=data).require_apart(RowSettings(eval_split="train"))
