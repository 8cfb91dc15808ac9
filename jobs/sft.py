"""Fine-tune a decoder on conversations: all of it, or adapters. `--show-batch` shows what would be learned, and trains nothing."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from jobs.train_embedder import show
from ray_pipeline.config import section
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.pipelines.prepare_chats import ChatData, prepare_chats
from ray_pipeline.pipelines.render import RenderSettings, render_chats
from ray_pipeline.pipelines.show_rendered import rendered_examples
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import fine_tune
from ray_pipeline.tasks.sft.settings import SftTraining


class SftJob(JobSettings, SftTraining):
    chats: ChatData = section(..., "the conversations")
    policy: PolicySettings = section(..., "the model to begin with")
    render: RenderSettings = section(RenderSettings(), "how conversations become tokens, and what of them is learned")

    def training(self) -> SftTraining:
        """The part that decides how is trained."""
        return SftTraining(**{name: getattr(self, name) for name in SftTraining.model_fields})


def train(settings: SftJob, run: Run) -> None:
    chats = prepare_chats(run, settings.chats)
    show(fine_tune(run, chats, settings.policy, settings.render, settings.training()))


def show_batch(settings: SftJob, run: Run) -> None:
    chats = prepare_chats(run, settings.chats)
    print(rendered_examples(render_chats(run, chats, settings.policy, settings.render), settings.policy))


if __name__ == "__main__":
    main("sft", SftJob, train, show_batch=show_batch)
