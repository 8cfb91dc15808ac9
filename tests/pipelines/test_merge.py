"""Models of kept checkpoints: the same vectors as the training's own export, another moment's others, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jobs.command_line import run_job
from jobs.merge import MergeJob, merge
from ray_pipeline.artifacts import Artifact, Workspace, damaged
from ray_pipeline.config import parse
from ray_pipeline.errors import ArtifactError, ModelError, SettingsError
from ray_pipeline.models.adapter_files import open_adapter
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.merge import unit_vectors
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.merge import MergeSettings, chosen_step, kept_steps, merge_model
from ray_pipeline.pipelines.prepare import GeneratedData, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_embedder import TrainingInputs, train_embedder
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.rows import RowSettings

TEXTS = ["the negative number", "adds the area", "x"]
TRAINING = {
    "train": {
        "epochs": 2,
        "batch_size": 64,
        "optimizer": {"lr": 3e-3},
        "checkpoints": {"keep_epochs": True},
        "evaluation": {"at_start": False},
    },
    "adaptation": {"kind": "lora", "rank": 4, "alpha": 8},
    "objective": {"learnable_temperature": True},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, ray_session: ClusterSettings) -> tuple[Run, Artifact]:
    """Two epochs of adapters on the tiny model, each epoch's checkpoint kept."""
    run = Run(Workspace.at(str(tmp_path_factory.mktemp("merge"))), ray_session)
    model = parse(EmbedderSettings, {"name": str(tiny_model), "max_length": 32})
    inputs = TrainingInputs(prepare(run, GeneratedData(rows=300)))
    return run, train_embedder(run, inputs, model, parse(EmbedderTraining, TRAINING), RowSettings())


def vectors(artifact: Artifact) -> np.ndarray:
    return unit_vectors(Embedder(EmbedderSettings(name=artifact.location.uri)), TEXTS)


def test_the_chosen_checkpoint_merged_is_the_model_that_the_training_exported(trained: tuple[Run, Artifact]) -> None:
    run, model = trained
    made = merge_model(run, model, MergeSettings())
    assert made.stage == "model"
    assert made.metrics["step"] == model.metrics["chosen_step"]
    np.testing.assert_allclose(vectors(made), vectors(model), rtol=0, atol=1e-6)
    assert damaged(made) == []
    assert merge_model(run, model, MergeSettings(step=made.metrics["step"])).fingerprint == made.fingerprint  # the same moment, said otherwise
    assert locate(made.location.uri).folder.is_dir()


def test_another_epoch_is_another_model(trained: tuple[Run, Artifact]) -> None:
    run, model = trained
    kept = kept_steps(model)
    assert len(kept) == 2
    assert [chosen_step(model, MergeSettings(epoch=float(epoch))) for epoch in (1, 2)] == kept
    models = [merge_model(run, model, MergeSettings(epoch=float(epoch))) for epoch in (1, 2)]
    first, second = (vectors(one) for one in models)
    assert np.abs(first - second).max() > 1e-3
    assert models[0].metrics["evaluation"]["step"] == kept[0]


def test_the_adapter_alone_opens_on_its_base(trained: tuple[Run, Artifact]) -> None:
    run, model = trained
    made = merge_model(run, model, MergeSettings(epoch=1.0, form="adapter"))
    assert made.stage == "adapter"
    folder = Path(made.file("adapter/adapter_config.json").uri).parent
    expected = vectors(merge_model(run, model, MergeSettings(epoch=1.0)))
    np.testing.assert_allclose(unit_vectors(open_adapter(folder), TEXTS), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"step": 7777}, r"the checkpoint of step 7777 was not kept; there are steps \d+, \d+"),
        ({"epoch": 1.37}, r"epoch=1.37: no step of this training ended there; it went to epoch 2"),
    ],
)
def test_a_moment_that_was_not_kept_is_refused(trained: tuple[Run, Artifact], given: dict[str, float], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        merge_model(*trained, parse(MergeSettings, given))


def test_step_and_epoch_together_and_another_base_and_what_is_no_training_are_refused(
    trained: tuple[Run, Artifact], tiny_model: Path, tmp_path: Path
) -> None:
    run, model = trained
    with pytest.raises(SettingsError, match="step=1 and epoch=2 both name a checkpoint"):
        parse(MergeSettings, {"step": 1, "epoch": 2})
    other = tmp_path / "other"
    other.mkdir()
    for file in (one for one in tiny_model.rglob("*") if one.is_file()):
        (other / file.relative_to(tiny_model)).parent.mkdir(exist_ok=True)
        (other / file.relative_to(tiny_model)).write_bytes(file.read_bytes())
    step = kept_steps(model)[0]
    assert merge_model(run, model, MergeSettings(step=step, base=str(other))).metrics["step"] == step  # moved: the same bytes elsewhere
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-5}))
    with pytest.raises(ModelError, match="set base to where the same model lies now"):
        merge_model(run, model, MergeSettings(step=step, base=str(other)))
    with pytest.raises(ArtifactError, match="holds no checkpoints, so it is not the artifact of a training"):
        merge_model(run, merge_model(run, model, MergeSettings()), MergeSettings())


def test_the_job_merges_and_the_merged_model_is_one_to_work_with(trained: tuple[Run, Artifact], capsys: pytest.CaptureFixture[str]) -> None:
    run, model = trained
    words = [f"model={model.location.uri}", "epoch=2", f"workspace={run.workspace.root.uri}", "log=warning"]
    assert run_job("merge", MergeJob, merge, words) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"the merged model of step {kept_steps(model)[1]}: ")
    assert run_job("merge", MergeJob, merge, [*words, "step=3"]) == 1
    assert "both name a checkpoint" in capsys.readouterr().err
    assert run_job("merge", MergeJob, merge, [*words, "--dry-run"]) == 0
    assert "every stage is there" in capsys.readouterr().out
