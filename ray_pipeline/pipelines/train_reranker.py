"""Stage `reranker`: a reranker trained on lists of a positive and mined negatives, exported so that anything can load it.

Its files are laid out as those of a trained embedder (`train_embedder.py`). It is evaluated on the way by putting the best candidates
of a ranking of the evaluated queries in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from ray_pipeline.artifacts import Artifact, Input
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.on_workers import train_on_workers
from ray_pipeline.pipelines.stage import Run, Stage
from ray_pipeline.tasks.reranker_run import RerankerRun
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.tasks.rows import RowSettings

ALGORITHM = 1


@dataclass(frozen=True)
class RerankerInputs:
    """The artifacts a reranker is trained on."""

    data: PreparedData
    groups: Artifact  # the lists
    candidates: Artifact | None = None  # a ranking of the evaluated split

    def as_inputs(self) -> dict[str, Input]:
        given = {"data": self.data.artifact.as_input(), "groups": self.groups.as_input("groups/")}
        return given if self.candidates is None else {**given, "candidates": self.candidates.as_input()}

    def uris(self) -> dict[str, str]:
        given = {"data": self.data.artifact, "groups": self.groups, "candidates": self.candidates}
        return {name: artifact.location.uri for name, artifact in given.items() if artifact is not None}


def train_reranker(run: Run, inputs: RerankerInputs, model: RerankerSettings, training: RerankerTraining, rows: RowSettings) -> Artifact:
    """The trained model's artifact; a killed run goes on from its newest checkpoint."""
    if training.train.evaluation is not None and inputs.candidates is None:
        raise SettingsError("a reranker is evaluated on the candidates of a ranking: give one (candidates), or set train.evaluation=null")
    base = locate(model.name, model.revision).as_input()
    stage = Stage("reranker", ALGORITHM, {"model": model, "training": training, "rows": rows}, {**inputs.as_inputs(), "model": base})

    return train_on_workers(run, stage, training.train, lambda place: RerankerRun(model, training, rows, inputs.uris(), place))


def begun_with(embedder: Artifact, base: RerankerSettings) -> RerankerSettings:
    """Settings of a classifier whose body is an embedder's, trained already on the same texts; its head is new."""
    if base.kind != "classifier":
        raise SettingsError(f"begins_with: an embedder is the beginning of a classifier, and reranker.kind is {base.kind}; set it to classifier")
    return base.model_copy(update={"name": embedder.location.uri, "revision": None})


def trained_reranker(model: Artifact, base: RerankerSettings) -> RerankerSettings:
    """Settings to use a trained reranker with: what it was trained with it says itself."""
    of_training = {name: type(base).model_fields[name].default for name in _SAID_BY_THE_MODEL}
    return base.model_copy(update={**of_training, "name": model.location.uri})


_SAID_BY_THE_MODEL = ("revision", "layers", "kind", "prompt", "score", "yes", "no", "max_length", "query_max_length")
