"""Train a decoder by what its own answers are worth: GRPO, EGPO and others, with vLLM drawing and every rollout kept."""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from jobs.train_embedder import show
from ray_pipeline.config import identity, section
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form
from ray_pipeline.pipelines.prepare_chats import ChatData, prepare_chats
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import reinforce
from ray_pipeline.tasks.grpo.settings import GrpoTraining


class GrpoJob(JobSettings, GrpoTraining):
    chats: ChatData = section(..., "the conversations whose replies are asked for; the calls in them are the right ones")
    policy: PolicySettings = section(..., "the model to begin with")
    form: Form = identity("chat", "chat: in the model's template; plain: a prompt is continued as it stands (base models)")

    def training(self) -> GrpoTraining:
        """The part that decides how is trained."""
        return GrpoTraining(**{name: getattr(self, name) for name in GrpoTraining.model_fields})


def train(settings: GrpoJob, run: Run) -> None:
    made = reinforce(run, prepare_chats(run, settings.chats), settings.policy, settings.form, settings.training())
    show(made)
    print(f"rollouts: {sum(file.rows or 0 for file in made.files('rollouts/')):,} in {made.location.uri}")


if __name__ == "__main__":
    main("grpo", GrpoJob, train)
