"""A model of any kept moment of a training: its adapter merged into the base, or the adapter itself.

A training keeps what it trained at some steps (`checkpoints/step-XXXXXXXX.safetensors`; `checkpoints.keep_epochs` keeps each
epoch's). Here the base is loaded as it was in that training, the checkpoint's tensors are put in, and the result is exported
like the training's own model: merged in fp32 and checked against the unmerged (`models/merge.py`). A training of all weights
has nothing to merge; its checkpoint is exported as it is.

`form=merged` publishes what the training publishes, a `model`, `reranker` or `policy`, which can be used wherever such a one can;
`form=adapter` publishes an `adapter` in peft's layout.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator
from safetensors.torch import load

from ray_pipeline.artifacts import Artifact, Attempt, Input
from ray_pipeline.config import Settings, identity, parse, source
from ray_pipeline.errors import ArtifactError, ModelError, SettingsError
from ray_pipeline.models.adapter_files import Adapted, save_adapter
from ray_pipeline.models.adapters import trainable_embedder, trainable_policy, trainable_reranker
from ray_pipeline.models.card_sections import ModelFacts
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.export import export_model
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.source import ModelFiles, locate
from ray_pipeline.models.trained_weights import load_parameters, trained
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.tasks.any_training import AnyTraining
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.tasks.sft.settings import SftTraining
from ray_pipeline.training.history import from_lines

ALGORITHM = 1
ModelSettings = EmbedderSettings | RerankerSettings | PolicySettings
_KEPT = re.compile(r"checkpoints/step-([0-9]+)\.safetensors")
_OF_THE_LOSS = "log_temperature"  # trained beside the model, and no part of it


class MergeSettings(Settings):
    """Which moment of a training, and in what form."""

    step: int | None = source(None, "the checkpoint of this step; null: the one the training chose", ge=0)
    epoch: float | None = source(None, "the checkpoint at the end of this epoch, counted from 1", gt=0)
    form: Literal["merged", "adapter"] = identity("merged", "merged: a whole model; adapter: the adapter alone, in peft's layout")
    base: str | None = source(None, "where the base model lies now, if it has moved; it must be the same model")

    @model_validator(mode="after")
    def _one_moment(self) -> MergeSettings:
        if self.step is not None and self.epoch is not None:
            raise ValueError(f"step={self.step} and epoch={self.epoch:g} both name a checkpoint; give one")
        return self


def merge_model(run: Run, trained_in: Artifact, settings: MergeSettings) -> Artifact:
    """The artifact with the model, or the adapter, of the checkpoint."""
    step = chosen_step(trained_in, settings)
    model, training = _trained_with(trained_in, settings)
    base = _same_base(trained_in, model)
    inputs = {"trained": trained_in.as_input(), "model": Input(base.fingerprint, base.name, "model")}
    stage_name = trained_in.stage if settings.form == "merged" else "adapter"
    stage = Stage(stage_name, ALGORITHM, {"merge": settings}, inputs, {"step": step})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        trained_model = _as_of(trained_in, step, model, training)
        row = next((one for one in trained_in.metrics["evaluations"] if one["step"] == step), None)
        with tempfile.TemporaryDirectory(prefix="ray_pipeline-merge-") as folder:
            if settings.form == "merged":
                facts = ModelFacts(
                    settings={"training": training.model_dump(mode="json")}, metrics=[] if row is None else [row], training={"step": step}
                )
                export_model(trained_model, Path(folder) / "model", facts, training.export_precision)
            else:
                save_adapter(trained_model, Path(folder) / "adapter", {"step": step})
            for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
                attempt.write(file.relative_to(folder).as_posix(), file.read_bytes())
        return Outcome(trained_in.manifest["rows"], {"step": step, "evaluation": row})

    return run.ensure(stage, build)


def kept_steps(trained_in: Artifact) -> list[int]:
    """The steps whose checkpoints the artifact holds."""
    names = (_KEPT.fullmatch(entry["name"]) for entry in trained_in.manifest["files"])
    found = [int(match.group(1)) for match in names if match]
    if not found:
        raise ArtifactError(f"{trained_in.location.uri}: holds no checkpoints, so it is not the artifact of a training; give that one")
    return found


def chosen_step(trained_in: Artifact, settings: MergeSettings) -> int:
    """The step that the settings mean; refused where its checkpoint was not kept."""
    kept = kept_steps(trained_in)
    step = int(trained_in.metrics["chosen_step"]) if settings.step is None else settings.step
    if settings.epoch is not None:
        step = _end_of_epoch(trained_in, settings.epoch)
    if step not in kept:
        shown = ", ".join(map(str, kept))
        raise SettingsError(
            f"{trained_in.location.uri}: the checkpoint of step {step} was not kept; there are steps {shown} "
            "(train with train.checkpoints.keep_epochs=true to keep each epoch's)"
        )
    return step


def _end_of_epoch(trained_in: Artifact, epoch: float) -> int:
    place = trained_in.file("history.jsonl")
    rows = from_lines(place.read().decode(), place.uri)
    ended = [int(row["step"]) for row in rows if row["kind"] == "step" and abs(row["epoch"] - epoch) < 1e-6]
    if not ended:
        last = max((row["epoch"] for row in rows), default=0.0)
        raise SettingsError(f"epoch={epoch:g}: no step of this training ended there; it went to epoch {last:g}")
    return ended[-1]


def _trained_with(trained_in: Artifact, settings: MergeSettings) -> tuple[ModelSettings, AnyTraining]:
    """The model and training settings that the artifact recorded."""
    written = json.loads(json.dumps(trained_in.manifest["settings"]))
    model: ModelSettings
    training: AnyTraining
    if trained_in.stage == "reranker":
        model, training = parse(RerankerSettings, written["model"]), parse(RerankerTraining, written["training"])
    elif trained_in.stage == "policy":
        model = parse(PolicySettings, written["model"])
        dpo = trained_in.manifest["identity"]["task"] == "dpo"
        training = parse(DpoTraining, written["training"]) if dpo else parse(SftTraining, written["training"])
    else:
        model, training = parse(EmbedderSettings, written["model"]), parse(EmbedderTraining, written["training"])
    return model if settings.base is None else model.model_copy(update={"name": settings.base}), training


def _same_base(trained_in: Artifact, model: ModelSettings) -> ModelFiles:
    """The base on this machine; refused where it is another one than the training began with."""
    base = locate(model.name, model.revision)
    was = trained_in.manifest["inputs"]["model"]["fingerprint"]
    if base.fingerprint != was:
        raise ModelError(
            f"{trained_in.location.uri}: was trained on a base with fingerprint {was[:12]}, {base.name} has {base.fingerprint[:12]}; "
            "set base to where the same model lies now"
        )
    return base


def _as_of(trained_in: Artifact, step: int, model: ModelSettings, training: AnyTraining) -> Adapted:
    """The model of the training as it stood after `step`."""
    place = trained_in.file(f"checkpoints/step-{step:08d}.safetensors")
    how = training.adaptation, "cpu", training.train.precision
    found: Adapted
    if isinstance(model, RerankerSettings):
        found = trainable_reranker(model, *how, seed=training.train.seed)
    elif isinstance(model, PolicySettings):
        assert isinstance(training, SftTraining | DpoTraining)
        found = trainable_policy(model, *how, packing=training.micro.packing, seed=training.train.seed)
    else:
        found = trainable_embedder(model, *how, seed=training.train.seed)
    tensors = {name: value for name, value in load(place.read()).items() if name != _OF_THE_LOSS}
    load_parameters(trained(found), tensors, place.uri)
    return found.eval()
