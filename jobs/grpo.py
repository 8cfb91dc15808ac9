"""Train a decoder by what its own answers are worth: GRPO, EGPO and others, with vLLM drawing and every rollout kept.

What is asked are conversations, whose calls are the right ones, or tasks in an environment (`environment=bank`), which answers and judges.
"""

from __future__ import annotations

from pydantic import model_validator

from jobs.command_line import JobSettings, main
from jobs.train_embedder import show
from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import identity, section
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form
from ray_pipeline.pipelines.prepare_chats import ChatData, prepare_chats
from ray_pipeline.pipelines.prepare_tasks import TaskData, prepare_tasks
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import reinforce
from ray_pipeline.tasks.grpo.settings import GrpoTraining


class GrpoJob(JobSettings, GrpoTraining):
    chats: ChatData | None = section(None, "the conversations whose replies are asked for; the calls in them are the right ones")
    tasks: TaskData | None = section(None, "in place of conversations: what is to be done in the environment")
    policy: PolicySettings = section(..., "the model to begin with")
    form: Form = identity("chat", "chat: in the model's template; plain: a prompt is continued as it stands (base models)")

    @model_validator(mode="after")
    def _asks_something(self) -> GrpoJob:
        if (self.chats is None) == (self.tasks is None) or (self.tasks is None) != (self.environment is None):
            raise ValueError("give chats, or an environment with tasks: environment=bank brings its own (and chats=null)")
        return self

    def training(self) -> GrpoTraining:
        """The part that decides how is trained."""
        return GrpoTraining(**{name: getattr(self, name) for name in GrpoTraining.model_fields})


def asked(settings: GrpoJob, run: Run) -> Artifact:
    """What the policy is asked."""
    if settings.chats is not None:
        return prepare_chats(run, settings.chats)
    if settings.tasks is not None:
        return prepare_tasks(run, settings.tasks)
    raise SettingsError("give chats, or an environment with tasks")


def train(settings: GrpoJob, run: Run) -> None:
    made = reinforce(run, asked(settings, run), settings.policy, settings.form, settings.training())
    show(made)
    print(f"rollouts: {sum(file.rows or 0 for file in made.files('rollouts/')):,} in {made.location.uri}")


if __name__ == "__main__":
    main("grpo", GrpoJob, train)
