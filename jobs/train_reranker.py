"""Train a reranker on lists of a positive and mined negatives."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from jobs.train_embedder import show
from ray_pipeline.artifacts import load
from ray_pipeline.config import section, source
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.pipelines.prepare import Data, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_reranker import RerankerInputs, train_reranker
from ray_pipeline.tasks.reranker_settings import RerankerTraining
from ray_pipeline.tasks.rows import RowSettings


class TrainRerankerJob(JobSettings, RerankerTraining):
    data: Data = section(..., "the data set")
    reranker: RerankerSettings = section(..., "the model to begin with")
    rows: RowSettings = section(RowSettings(), "which rows are trained and evaluated on")
    groups: str = source(..., "a groups artifact (jobs.mine, or jobs.score for a teacher's scores): the lists")
    ranking: str | None = source(None, "a ranking artifact of the evaluated split (jobs.search), whose best candidates evaluation puts in order")

    def training(self) -> RerankerTraining:
        """The part that decides how is trained."""
        return RerankerTraining(**{name: getattr(self, name) for name in RerankerTraining.model_fields})


def train(settings: TrainRerankerJob, run: Run) -> None:
    ranking = None if settings.ranking is None else load(settings.ranking, "ranking")
    inputs = RerankerInputs(prepare(run, settings.data), load(settings.groups, "groups"), ranking)
    show(train_reranker(run, inputs, settings.reranker, settings.training(), settings.rows))


if __name__ == "__main__":
    main("train_reranker", TrainRerankerJob, train)
