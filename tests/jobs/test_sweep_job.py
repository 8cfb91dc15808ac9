"""The job on real trainings: killed and continued, its best found again by the jobs it names, a pipeline's step swept."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs import command_line
from jobs.command_line import CONFIGS, run_job, settings_from
from jobs.pipeline import PipelineJob, pipeline
from jobs.sweep import body_of, chosen, run_sweep, step_base, step_of
from jobs.sweep_trainings import TRAININGS, SweepTrainEmbedder
from jobs.sweep_words import recipe_alone, recipe_in_pipeline, recipe_of_step, words_of_sweep
from jobs.train_embedder import TrainEmbedderJob, train
from ray_pipeline.artifacts import Artifact, Workspace, damaged, load
from ray_pipeline.config import layered, parse
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.steps import TrainEmbedderStep
from ray_pipeline.pipelines.sweeps.sweep import Recipe, best_command, best_experiment
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.reports.sweep import TrialRow
from tests.processes import JobProcess

RATE = "train.optimizer.lr"
RATES = [1e3, 2e-3]  # the first is a planted collapse: it ends while the other has long to go


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of configs/ where a test may write experiments."""
    copy = tmp_path / "configs"
    shutil.copytree(CONFIGS, copy)
    monkeypatch.setattr(command_line, "CONFIGS", copy)
    return copy


def small(model: Path) -> list[str]:
    return [f"model.name={model}", "model.precision=fp32", "model.max_length=48", "data.rows=300"]


def grid(*values: float) -> list[str]:
    return ["sweep=null", "sweep.search.kind=grid", f"sweep.space.{RATE}={{kind: choice, values: [{', '.join(f'{value:.1e}' for value in values)}]}}"]


def swept(workspace: Path) -> Artifact:
    return next(one for one in Workspace.at(str(workspace)).artifacts() if one.stage == "sweep")


class Sweep(JobProcess):
    """`jobs.sweep`."""

    def __init__(self, arguments: list[str], workspace: Path) -> None:
        super().__init__("jobs.sweep", arguments, workspace, workers="RayTrainWorker", patience=300.0)

    def end(self) -> str:
        assert self.wait_for_the_end() == 0, self.said.read_text()
        return self.said.read_text()

    def records(self) -> dict[int, Path]:
        return {int(path.stem): path for path in self.workspace.glob("sweep/*/attempts/*/records/[0-9]*.json")}

    def begun(self) -> dict[int, dict[str, Any]]:
        """Trials that run, with their evaluations so far."""
        found = {int(path.stem): json.loads(path.read_text()) for path in self.workspace.glob("sweep/*/attempts/*/begun/[0-9]*.json")}
        return {number: one for number, one in found.items() if number not in self.records()}


def test_a_killed_sweep_goes_on_and_its_best_is_found_again(
    tmp_path: Path, tiny_model: Path, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "w"
    training = [*small(tiny_model), "train.epochs=8", "train.batch_size=16", "train.checkpoints.keep_epochs=true"]  # 104 steps, 8 evaluations
    place = ["cluster.cpus=2", "cluster.logical_gpus=0", "cluster.object_store_mb=80", "cluster.threads_per_worker=1"]
    command = [f"workspace={workspace}", *training, *grid(*RATES), *place]

    killed = Sweep(command, workspace)
    killed.wait_for(
        lambda: bool(killed.records()) and any(2 <= len(one["evaluations"]) <= 6 for one in killed.begun().values()),
        "one trial's end and another's second evaluation",
    )
    killed.kill(with_workers=True)  # a worker left alone could finish its few epochs
    ended = {number: (path, path.stat().st_mtime_ns) for number, path in killed.records().items()}
    running = {number: len(one["evaluations"]) for number, one in killed.begun().items()}
    models = {path: path.stat().st_mtime_ns for path in workspace.glob("model/*/manifest.json")}
    assert ended
    assert max(running.values()) >= 2
    assert not list(workspace.glob("sweep/*/manifest.json"))

    said = Sweep(command, workspace).end()
    assert f"continuing, {len(ended)} shards are done" in said
    assert {path: path.stat().st_mtime_ns for path, _ in ended.values()} == dict(ended.values())  # not run again
    assert {path: path.stat().st_mtime_ns for path in models} == models
    assert all(f"trial {number} of 2" not in said for number in ended)
    found = swept(workspace)
    assert damaged(found) == []
    table = found.table("trials.parquet").to_pylist()
    assert [json.loads(one[RATE]) for one in table] == RATES
    assert [one["ended"] for one in table] == ["collapsed", "finished"]
    assert "nan" in table[0]["why"]
    assert len(list(workspace.glob("model/*/manifest.json"))) == 2
    further = max(running, key=lambda number: running[number])  # its later epochs are of the second attempt, the others were not trained again
    model = Workspace.at(str(workspace)).find("model", table[further]["artifact"].rpartition("/")[2])
    assert model is not None
    epochs = [file.path.split("/")[1] for file in model.files("checkpoints/") if file.path.endswith(".safetensors")]
    assert len(set(epochs)) == 2, epochs
    assert len(model.metrics["evaluations"]) == 9
    assert found.table(f"trials/{further:06d}.parquet").num_rows == 9

    # the same once more, and what the report says to run: everything is there (no Ray is asked: the address answers nothing)
    nowhere = ["cluster.address=127.0.0.1:1", f"workspace={workspace}"]
    before = {path: path.stat().st_mtime_ns for path in workspace.glob("*/*/manifest.json")}
    capsys.readouterr()
    assert run_sweep([*training, *grid(*RATES), *nowhere]) == 0
    best = found.metrics["best"]
    assert f"best:  trial {best['trial']}" in capsys.readouterr().out
    words = shlex.split(found.metrics["command"])
    assert words[:3] == ["python", "-m", "jobs.train_embedder"]
    assert run_job("train_embedder", TrainEmbedderJob, train, [*words[3:], *nowhere]) == 0
    assert f"model: {best['artifact']}" in capsys.readouterr().out
    shutil.copy(found.file("best.yaml").uri, configs / "experiment" / "best.yaml")
    assert run_job("train_embedder", TrainEmbedderJob, train, ["experiment=best", *nowhere]) == 0
    assert f"model: {best['artifact']}" in capsys.readouterr().out
    assert run_sweep([*training, *grid(*RATES), *nowhere, "--dry-run"]) == 0
    assert "every stage is there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in workspace.glob("*/*/manifest.json")} == before


def test_a_step_of_a_pipeline_is_swept_with_what_earlier_steps_gave_and_the_pipeline_finds_its_model(
    tmp_path: Path, tiny_model: Path, configs: Path, ray_session: ClusterSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    step = "{kind: train_embedder, groups: mine, training: {train: {max_steps: 3, batch_size: 8}, batches: {negatives_per_query: 1}}}"
    experiment = f"# @package _global_\nsteps:\n  mine: {{kind: mine, k: 20, mining: {{range: [2, 20], negatives: 3}}}}\n  train: {step}\n"
    (configs / "experiment" / "mined.yaml").write_text(experiment)
    place = [f"workspace={tmp_path / 'w'}", "cluster.cpus_per_worker=0.25", "cluster.threads_per_worker=1"]
    words = ["experiment=mined", *small(tiny_model)]
    assert run_sweep([*words, "train.max_steps=2", *grid(1e-3), *place]) == 0
    found = swept(tmp_path / "w")
    assert found.manifest["inputs"]["groups"]["kind"] == "artifact"
    best = found.metrics["best"]
    for file, name in (("best.yaml", "best"), ("best_pipeline.yaml", "best_pipeline")):
        shutil.copy(found.file(file).uri, configs / "experiment" / f"{name}.yaml")
    models = list(tmp_path.glob("w/model/*/manifest.json"))
    assert len(models) == 1
    capsys.readouterr()
    assert run_job("train_embedder", TrainEmbedderJob, train, ["experiment=best", *place]) == 0
    assert f"model: {best['artifact']}" in capsys.readouterr().out
    for arguments in (["experiment=best_pipeline"], shlex.split(found.metrics["command"])[3:]):
        assert run_job("pipeline", PipelineJob, pipeline, [*arguments, *place, "--dry-run"]) == 0
        told = capsys.readouterr().out
        assert best["artifact"] in told
        assert "every stage is there" in told
    assert list(tmp_path.glob("w/model/*/manifest.json")) == models


LOG = ["experiment=bge_qcot_high", "data=misconceptions", "data.rows=300"]


def sweep_settings(arguments: list[str]) -> SweepTrainEmbedder:
    return parse(SweepTrainEmbedder, settings_from("sweep", arguments))


def base_of(arguments: list[str], tmp_path: Path) -> TrainEmbedderJob:
    step = step_of(None, arguments)
    assert step is not None
    run = Run(Workspace.at(str(tmp_path)), ClusterSettings())
    settings = sweep_settings(words_of_sweep(TRAININGS["train_embedder"], step, arguments))
    return step_base(TrainEmbedderJob, step, settings, arguments, run, {})


def test_the_base_is_the_step_of_the_experiment_and_the_command_line_is_above_it(tmp_path: Path) -> None:
    base = base_of([*LOG, "train.epochs=3", "adaptation.rank=8"], tmp_path)
    assert (base.train.epochs, base.train.optimizer.lr_lora_b, base.train.schedule.warmup_share) == (3, 8e-5, 0.15)
    assert base.adaptation.model_dump()["rank"] == 8
    assert base.adaptation.model_dump()["alpha"] == 64
    assert base.evaluated is not None  # the pipeline's own data, not joined
    assert load(base.evaluated).manifest["identity"]["data"]["reasoning"] == "aside"
    assert (base.data.reasoning, base.model.name, base.model.max_length) == ("join", "BAAI/bge-en-icl", 512)
    assert base.cluster.gpus_per_worker == 1  # the experiment's own place
    full = base_of([*LOG, "adaptation.kind=full"], tmp_path)
    assert full.adaptation.model_dump() == {"kind": "full"} | {k: v for k, v in full.adaptation.model_dump().items() if k != "kind"}


def test_the_best_of_a_step_as_files_and_as_a_command(tmp_path: Path, configs: Path) -> None:
    """Written, read again by each job, and compared with what was swept, setting by setting."""
    arguments = [*LOG, "train.epochs=3", "workspace=x", "sweep.search.trials=2"]
    step = step_of("qcot", arguments)
    assert step is not None
    run = Run(Workspace.at(str(tmp_path)), ClusterSettings())
    best = TrialRow(1, {f"{RATE}_lora_b": 7e-5, "train.schedule.warmup_share": 0.1}, "finished", "", 0.5, 10, 0.5, 10, 1.0, "x")
    alone, within = recipe_of_step("train_embedder", step, arguments, run, {}), recipe_in_pipeline(step, arguments)
    for recipe, name in ((alone, "best"), (within, "best_pipeline")):
        (configs / "experiment" / f"{name}.yaml").write_text(best_experiment(recipe, best, "map@25"))
    swept_base = base_of(arguments, tmp_path).model_dump(exclude={"workspace"})
    expected = layered(swept_base, {"train": {"optimizer": {"lr_lora_b": 7e-5}, "schedule": {"warmup_share": 0.1}}})
    read = parse(TrainEmbedderJob, settings_from("train_embedder", ["experiment=best"]))
    assert read.model_dump(exclude={"workspace"}) == expected
    whole = parse(PipelineJob, settings_from("pipeline", ["experiment=best_pipeline"]))
    qcot = whole.steps["qcot"]
    assert isinstance(qcot, TrainEmbedderStep)
    assert qcot.training == read.training()
    original = parse(PipelineJob, settings_from("pipeline", LOG))
    assert {name: one for name, one in whole.steps.items() if name != "qcot"} == {name: one for name, one in original.steps.items() if name != "qcot"}
    command = shlex.split(best_command(within, best.values))
    assert command[:3] == ["python", "-m", "jobs.pipeline"]
    assert parse(PipelineJob, settings_from("pipeline", command[3:])).steps == whole.steps


def test_without_an_experiment_or_a_training_step_it_sweeps_the_job_itself() -> None:
    assert step_of(None, ["data.rows=300"]) is None
    assert step_of(None, ["experiment=retrieval"]) is None
    assert step_of(None, ["experiment=null"]) is None
    recipe = recipe_alone(
        "train_embedder", ["data=misconceptions", "+train.epochs=2", "workspace=x", "cluster=local", "sweep.search.trials=3", "log=debug"]
    )
    assert recipe == Recipe(
        "train_embedder", ["data=misconceptions", "+train.epochs=2"], ["_self_", {"override /data": "misconceptions"}], {"train": {"epochs": 2}}
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["experiment=staged_embedder"], "step: the experiment trains in qcot, semi, hard; say which of these is swept"),
        (["experiment=staged_embedder", "step=semmi"], "step=semmi: the experiment has no such training step; did you mean 'semi'?"),
        (["step=train"], "step=train: the experiment has no such training step; none of its steps trains"),
        (
            ["sweep.space.train.optimiser.lr={kind: uniform, low: 0.1, high: 1}"],
            "no setting 'train.optimiser.lr'; did you mean 'train.optimizer.lr'?",
        ),
        (
            ["experiment=hard_negatives", "sweep.space.groups={kind: choice, values: [a]}"],
            "groups is given by the pipeline, so that step train cannot vary it",
        ),
        (["experiment=iterated_minilm"], "its trainings stand in iterations, where a sweep cannot change one of them"),
        (["experiment=hard_negatives", "train.epocs=2"], "train.epocs: no such setting; did you mean 'epochs'?"),
        (["experiment=hard_negatives", "steps.train.training.train.epocs=2"], "train.epocs: no such setting; did you mean 'epochs'?"),
        (["sweep=learning_ratse"], "did you mean 'learning_rates'?"),
        (["sweep.job=train_embeder"], "sweep.job=train_embeder: no such job to sweep; there are train_embedder"),
        (["sweep.search.kind=optna"], "did you mean 'optuna'?"),
        (["train.evaluation=null", "train.checkpoints.keep_best=false"], "nothing tells one trial from another"),
        (["train.schedule.warmup_steps=5"], "no combination is possible: train.schedule: warmup_share=0.0 and warmup_steps=5"),
    ],
)
def test_a_mistake_is_refused_before_anything_starts(given: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_sweep([f"workspace={tmp_path / 'w'}", "cluster.address=127.0.0.1:1", *given]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "w" / "data").exists()
    assert not (tmp_path / "w" / "sweep").exists()


def test_rates_of_what_is_not_trained_are_left_out(tiny_model: Path) -> None:
    keys = [RATE, *(f"{RATE}_{kind}" for kind in ("lora_a", "lora_b", "embed_tokens", "head"))]

    def left_out(*words: str) -> set[str]:
        settings = sweep_settings([*small(tiny_model), *words])
        return set(TRAININGS["train_embedder"].training.idle(settings, [*keys, "train.seed"]))

    assert left_out() == {f"{RATE}_lora_a", f"{RATE}_lora_b", f"{RATE}_head"}
    assert left_out("objective.learnable_temperature=true") == {f"{RATE}_lora_a", f"{RATE}_lora_b"}
    assert left_out("adaptation.kind=lora") == {RATE, f"{RATE}_embed_tokens", f"{RATE}_head"}  # nothing is left that `lr` would be the rate of
    settings = sweep_settings(small(tiny_model))
    assert TRAININGS["train_embedder"].training.idle(settings, [*keys, "adaptation.kind"]) == {}  # known of each trial alone


def test_a_dry_run_says_what_waits_for_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_sweep(["experiment=hard_negatives", f"workspace={tmp_path / 'w'}", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "to do  data" in told
    assert "there is something to do" in told
    assert not (tmp_path / "w").exists()


def test_the_registry_names_jobs_by_their_own_settings() -> None:
    for job, one in TRAININGS.items():
        assert one.training.job == job
        assert issubclass(one.settings, one.training.settings)
        assert chosen([f"sweep.job={job}"]) is one
        assert callable(body_of(one, None, []))
    with pytest.raises(SettingsError):
        chosen(["sweep.job=nope"])


def test_the_default_space_is_in_yaml() -> None:
    assert set(yaml.safe_load((CONFIGS / "sweep" / "learning_rates.yaml").read_text())) == {"space", "search", "scheduler"}
