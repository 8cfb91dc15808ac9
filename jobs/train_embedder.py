"""Train an embedder on a data set: with in-batch negatives, or with negatives that were mined before."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.config import section, source
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.prepare import Data, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_embedder import TrainingInputs, train_embedder
from ray_pipeline.reports.epoch_table import epoch_table
from ray_pipeline.tasks.embedder_settings import EmbedderTraining
from ray_pipeline.tasks.rows import RowSettings


class TrainEmbedderJob(JobSettings, EmbedderTraining):
    data: Data = section(..., "the data set")
    model: EmbedderSettings = section(..., "the model to begin with")
    rows: RowSettings = section(RowSettings(), "which rows are trained and evaluated on")
    groups: str | None = source(None, "a groups artifact (jobs.mine): train on its negatives; null: on the data's judgements alone")
    pseudo: str | None = source(None, "a pseudo_labels artifact: its rows are trained on too")
    evaluated: str | None = source(None, "a data artifact that is evaluated on the way instead of `data`")

    def training(self) -> EmbedderTraining:
        """The part that decides how is trained."""
        return EmbedderTraining(**{name: getattr(self, name) for name in EmbedderTraining.model_fields})


def training_inputs(settings: TrainEmbedderJob, run: Run) -> TrainingInputs:
    """The data, prepared, and the artifacts that the settings name."""
    evaluated = _given(settings.evaluated, "data")
    return TrainingInputs(
        prepare(run, settings.data),
        _given(settings.groups, "groups"),
        _given(settings.pseudo, "pseudo_labels"),
        None if evaluated is None else PreparedData(evaluated),
    )


def train(settings: TrainEmbedderJob, run: Run) -> None:
    show(train_embedder(run, training_inputs(settings, run), settings.model, settings.training(), settings.rows))


def show(model: Artifact) -> None:
    """The epoch table, how the run ended, and where the model is."""
    print(epoch_table(model))
    print(f"{model.metrics['ended']}: {model.metrics['why']}; the model is that of step {model.metrics['chosen_step']}")
    print(f"model: {model.location.uri}")


def _given(uri: str | None, stage: str) -> Artifact | None:
    return None if uri is None else load(uri, stage)


if __name__ == "__main__":
    main("train_embedder", TrainEmbedderJob, train)
