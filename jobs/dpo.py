"""Train a decoder on preferences: DPO and its relatives, on one set of pairs or a mixture of several."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from jobs.train_embedder import show
from ray_pipeline.config import section
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.prepare_preferences import PreferenceData, prepare_preferences
from ray_pipeline.pipelines.render_pairs import RenderPairsSettings
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import optimise_preferences
from ray_pipeline.tasks.dpo.settings import DpoTraining


class DpoJob(JobSettings, DpoTraining):
    preferences: PreferenceData = section(..., "the pairs")
    policy: PolicySettings = section(..., "the policy to begin with, which is the reference too: a base model, or one that was fine-tuned (jobs.sft)")
    render: RenderPairsSettings = section(RenderPairsSettings(), "how pairs become tokens")

    def training(self) -> DpoTraining:
        """The part that decides how is trained."""
        return DpoTraining(**{name: getattr(self, name) for name in DpoTraining.model_fields})


def train(settings: DpoJob, run: Run) -> None:
    pairs = prepare_preferences(run, settings.preferences)
    show(optimise_preferences(run, pairs, settings.policy, settings.render, settings.training()))


if __name__ == "__main__":
    main("dpo", DpoJob, train)
