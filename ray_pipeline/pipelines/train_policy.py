"""Stage `policy`: a decoder trained on conversations or preferences, exported so that transformers and vLLM load it.

Its files are laid out as those of a trained embedder (`train_embedder.py`).
"""

from __future__ import annotations

from ray_pipeline.artifacts import Artifact, Input, load
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form
from ray_pipeline.pipelines.on_workers import train_on_workers
from ray_pipeline.pipelines.prepare import raw_input
from ray_pipeline.pipelines.reference import reference_of
from ray_pipeline.pipelines.render import RenderSettings, policy_inputs, render_chats
from ray_pipeline.pipelines.render_pairs import RenderPairsSettings, render_pairs
from ray_pipeline.pipelines.stage import Run, Stage
from ray_pipeline.tasks.dpo.run import DpoRun
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.grpo.run import GrpoRun
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.sft.run import SftRun
from ray_pipeline.tasks.sft.settings import SftTraining

ALGORITHM = 1


def fine_tune(run: Run, chats: Artifact, model: PolicySettings, render: RenderSettings, training: SftTraining) -> Artifact:
    """The trained model's artifact; a killed run goes on from its newest checkpoint."""
    if training.train.evaluation is not None and not chats.files("eval/"):
        raise SettingsError(f"{chats.location.uri}: nothing is held out to evaluate on; set chats.eval_share, or train.evaluation=null")
    tokens = render_chats(run, chats, model, render)
    inputs = {"tokens": tokens.as_input(), **policy_inputs(model)}
    stage = Stage("policy", ALGORITHM, {"model": model, "training": training}, inputs, {"task": "sft"})
    return train_on_workers(run, stage, training.train, lambda place: SftRun(model, training, {"tokens": tokens.location.uri}, place))


def optimise_preferences(run: Run, preferences: Artifact, model: PolicySettings, render: RenderPairsSettings, training: DpoTraining) -> Artifact:
    """The same, of a policy that learns which answers are preferred."""
    if training.train.evaluation is not None and not preferences.files("eval/"):
        raise SettingsError(f"{preferences.location.uri}: nothing is held out to evaluate on; set preferences.eval_share, or train.evaluation=null")
    made = {"pairs": render_pairs(run, preferences, model, render)}
    if training.refers and training.reference == "precomputed":
        made["reference"] = reference_of(run, made["pairs"], model, training)
    inputs = {**{name: artifact.as_input() for name, artifact in made.items()}, **policy_inputs(model)}
    stage = Stage("policy", ALGORITHM, {"model": model, "training": training}, inputs, {"task": "dpo"})
    uris = {name: artifact.location.uri for name, artifact in made.items()}
    return train_on_workers(run, stage, training.train, lambda place: DpoRun(model, training, uris, place))


def reinforce(run: Run, asked: Artifact, model: PolicySettings, form: Form, training: GrpoTraining) -> Artifact:
    """The same, of a policy that learns from its own rollouts of what is asked: conversations' replies, or tasks in an environment. `rollouts/`
    holds all of them."""
    wanted = "chats" if training.environment is None else "tasks"
    if asked.stage != wanted:
        raise SettingsError(
            f"{asked.location.uri}: these are {asked.stage}, and {'without' if wanted == 'chats' else 'in'} an environment {wanted} are asked"
        )
    uris, inputs = {wanted: asked.location.uri}, {wanted: asked.as_input(), **policy_inputs(model), **_own_code(training)}
    if training.replay is not None:
        kept = load(training.replay, "policy")
        uris["replay"], inputs["replay"] = kept.location.uri, kept.as_input("rollouts/")
    stage = Stage("policy", ALGORITHM, {"model": model, "training": training}, inputs, {"task": "grpo", "form": form})
    return train_on_workers(run, stage, training.train, lambda place: GrpoRun(model, training, form, uris, place))


def _own_code(training: GrpoTraining) -> dict[str, Input]:
    """Rewards and environments of the user's own count by their files' contents."""
    given = {f"reward.parts.{name}.function": one.function for name, one in training.reward.parts.items()}
    given["environment.environment"] = None if training.environment is None else training.environment.environment
    return {key: raw_input(where.rpartition(":")[0], key) for key, where in given.items() if where is not None}


def trained_policy(policy: Artifact, base: PolicySettings) -> PolicySettings:
    """Settings to use a trained policy with: its template it brings with it."""
    said = {name: PolicySettings.model_fields[name].default for name in ("revision", "layers", "template")}
    return base.model_copy(update={**said, "template_options": {}, "name": policy.location.uri})
