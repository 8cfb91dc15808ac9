"""Stage `model`: an embedder trained on a data set's rows, exported so that anything can load it.

Ray Train's workers each run an `EmbedderRun` (`on_workers.py`). What the stage publishes is

    model/...            the model as a folder that sentence-transformers and transformers load
    adapter/...          its adapter in peft's layout, where one was trained
    history.jsonl        a row a step and an evaluation
    epochs.md            the table of the evaluations, the best marked
    checkpoints/...      what was trained, at the steps that were kept: `jobs.merge` turns any of them into a model
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ray_pipeline.artifacts import Artifact, Input
from ray_pipeline.data.columns import rows_of
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.errors import DataError
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.on_workers import train_on_workers
from ray_pipeline.pipelines.stage import Run, Stage
from ray_pipeline.tasks.embedder_run import EmbedderRun
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.rows import RowSettings
from ray_pipeline.tasks.run import RunPlace

ALGORITHM = 3


@dataclass(frozen=True)
class TrainingInputs:
    """The artifacts an embedder is trained on."""

    data: PreparedData
    groups: Artifact | None = None  # mined negatives; they replace the split's bare judgements
    pseudo: Artifact | None = None  # labels of the unlabelled
    evaluation: PreparedData | None = None  # evaluated on this instead of `data`

    def as_inputs(self) -> dict[str, Input]:
        given = {"data": self.data.artifact.as_input()}
        given |= {} if self.groups is None else {"groups": self.groups.as_input("groups/")}
        given |= {} if self.pseudo is None else {"pseudo": self.pseudo.as_input("labels/")}
        return given | ({} if self.evaluation is None else {"evaluation": self.evaluation.artifact.as_input()})

    def uris(self) -> dict[str, str]:
        data = {"data": self.data, "evaluation": self.evaluation}
        given = {"groups": self.groups, "pseudo": self.pseudo, **{name: one.artifact for name, one in data.items() if one is not None}}
        return {name: artifact.location.uri for name, artifact in given.items() if artifact is not None}

    def require_apart(self, rows: RowSettings) -> None:
        """Refuse an evaluation, of other data than is trained on, that holds a training query (or the beginning of one: a training
        query may have been joined with its reasoning)."""
        if self.evaluation is None:
            return
        trained = self.data.queries(rows.split).table(["query_id", "text"])
        evaluated = self.evaluation.queries(rows.eval_split).table(["query_id", "text"])
        place = rows_of(trained.column("query_id"), evaluated.column("query_id"))
        for row in np.flatnonzero(place >= 0).tolist():
            if trained.column("text")[row].as_py().startswith(evaluated.column("text")[place[row]].as_py()):
                raise DataError(
                    f"query {trained.column('query_id')[row].as_py()!r} is in split {rows.split!r} of {self.data.artifact.location.uri}, which is "
                    f"trained on, and in split {rows.eval_split!r} of {self.evaluation.artifact.location.uri}, which is evaluated; split both alike"
                )


def training_reads(inputs: TrainingInputs, model: EmbedderSettings, training: EmbedderTraining) -> dict[str, Input]:
    """All that a training reads: its artifacts, the model it begins from, and the guide."""
    given = {**inputs.as_inputs(), "model": locate(model.name, model.revision).as_input()}
    if training.guide is not None:
        given["guide"] = locate(training.guide.name, training.guide.revision).as_input()
    return given


def train_embedder(run: Run, inputs: TrainingInputs, model: EmbedderSettings, training: EmbedderTraining, rows: RowSettings) -> Artifact:
    """The trained model's artifact; a killed run goes on from its newest checkpoint."""
    stage = Stage("model", ALGORITHM, {"model": model, "training": training, "rows": rows}, training_reads(inputs, model, training))

    def at(place: RunPlace) -> EmbedderRun:
        inputs.require_apart(rows)
        return EmbedderRun(model, training, rows, inputs.uris(), place)

    return train_on_workers(run, stage, training.train, at)


def trained_model(model: Artifact, base: EmbedderSettings) -> EmbedderSettings:
    """Settings to use a trained model with: what it was trained with it says itself."""
    of_training = {name: type(base).model_fields[name].default for name in _SAID_BY_THE_MODEL}
    return base.model_copy(update={**of_training, "name": model.location.uri})


_SAID_BY_THE_MODEL = ("revision", "pooling", "normalize", "dim", "max_length", "layers", "terminal_token", "bidirectional", "projection", "prompt")
