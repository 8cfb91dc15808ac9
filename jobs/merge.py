"""Make a model of any kept checkpoint of a training: `model=outputs/model/... step=120`, or `epoch=3`."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.artifacts import load
from ray_pipeline.config import source
from ray_pipeline.pipelines.merge import MergeSettings, merge_model
from ray_pipeline.pipelines.stage import Run


class MergeJob(JobSettings, MergeSettings):
    model: str = source(..., "the artifact of the training")

    def choice(self) -> MergeSettings:
        """Which moment, and in what form."""
        return MergeSettings(**{name: getattr(self, name) for name in MergeSettings.model_fields})


def merge(settings: MergeJob, run: Run) -> None:
    made = merge_model(run, load(settings.model, "model", "reranker", "policy"), settings.choice())
    print(f"the {settings.form} model of step {made.metrics['step']}: {made.location.uri}")


if __name__ == "__main__":
    main("merge", MergeJob, merge)
