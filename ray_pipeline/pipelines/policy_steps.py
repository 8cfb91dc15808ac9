"""The steps that train chat models: fine-tuning on conversations, on preferences, and on what a policy's own answers are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.policy.tokenizer import Form
from ray_pipeline.pipelines.chain import BASE, Chain, PipelineChainSettings, with_changes
from ray_pipeline.pipelines.pairs import IMITATE, PREFERENCES, pairs_file
from ray_pipeline.pipelines.prepare_chats import ChatFiles, ChatSource, prepare_chats
from ray_pipeline.pipelines.prepare_preferences import PreferenceData, PreferenceSet, prepare_preferences
from ray_pipeline.pipelines.render import RenderSettings
from ray_pipeline.pipelines.render_pairs import RenderPairsSettings
from ray_pipeline.pipelines.train_policy import fine_tune, optimise_preferences, reinforce
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.sft.settings import SftTraining


class PolicyStep(Settings):
    """A step that trains a decoder."""

    gives: ClassVar[str] = "policy"
    reads: ClassVar[Mapping[str, str]] = {"policy": "policy"}

    policy: str = source(BASE, "base (the pipeline's own policy), or the step whose policy is trained on")


def _pipeline_chats(settings: PipelineChainSettings, changes: Mapping[str, Any]) -> ChatSource:
    """The pipeline's conversations, with what differs in a step."""
    if settings.chats is None:
        raise SettingsError("this pipeline has no conversations; give them (chats.path=..., or a group chats=...)")
    return with_changes(type(settings.chats), settings.chats, dict(changes))


class SftStep(PolicyStep):
    """Fine-tune on conversations."""

    reads: ClassVar[Mapping[str, str]] = {"policy": "policy", "pairs": "pairs"}

    kind: Literal["sft"] = identity("sft", "fine-tune a policy on conversations")
    chats: dict[str, Any] = identity({}, "settings of `chats` that differ in this step, e.g. {sample: 1000}")
    pairs: str | None = source(None, "the step of kind pairs whose answers are imitated, instead of the pipeline's `chats`")
    imitate: str | None = identity(None, "with pairs: which of its sets, a name of pairs.imitate")
    render: RenderSettings = section(RenderSettings(), "how conversations become tokens, and what of them is learned")
    training: SftTraining = section(SftTraining(), "how")

    @model_validator(mode="after")
    def _one_source(self) -> SftStep:
        if (self.pairs is None) != (self.imitate is None):
            raise ValueError("pairs (a step) and imitate (a set of its pairs.imitate) go together; give both or neither")
        return self

    def own_chats(self, settings: PipelineChainSettings, made: Artifact | None = None) -> ChatSource:
        """The conversations; of a step of kind pairs once it has been `made`."""
        if self.pairs is not None:
            path = "" if made is None or self.imitate is None else pairs_file(made, IMITATE, self.imitate)
            return with_changes(ChatFiles, ChatFiles(path=path), self.chats)
        return _pipeline_chats(settings, self.chats)

    def make(self, chain: Chain) -> Artifact:
        chats = prepare_chats(chain.run, self.own_chats(chain.settings, None if self.pairs is None else chain.made[self.pairs]))
        return fine_tune(chain.run, chats, chain.policy(self.policy), self.render, self.training)


class DpoStep(PolicyStep):
    """Train on preferences; the policy that it begins from is the reference."""

    reads: ClassVar[Mapping[str, str]] = {"policy": "policy", "pairs": "pairs"}

    kind: Literal["dpo"] = identity("dpo", "train a policy on preferences")
    preferences: dict[str, Any] = identity({}, "settings of `preferences` that differ in this step, e.g. {eval_share: 0.2}")
    pairs: str | None = source(None, "the step of kind pairs whose preferences are trained on, instead of the pipeline's `preferences`")
    sets: tuple[str, ...] = identity((), "with pairs: which of its sets, names of pairs.sets")
    render: RenderPairsSettings = section(RenderPairsSettings(), "how pairs become tokens")
    training: DpoTraining = section(DpoTraining(), "how")

    @model_validator(mode="after")
    def _one_source(self) -> DpoStep:
        if (self.pairs is None) != (not self.sets):
            raise ValueError("pairs (a step) and sets (names of its pairs.sets) go together; give both or neither")
        return self

    def own_preferences(self, settings: PipelineChainSettings, made: Artifact | None = None) -> PreferenceData:
        """The pairs; of a step of kind pairs once it has been `made`."""
        if self.pairs is not None:
            paths = {name: "" if made is None else pairs_file(made, PREFERENCES, name) for name in self.sets}
            given = PreferenceData(sets={name: PreferenceSet(path=path) for name, path in paths.items()}, equal="drop")
            return with_changes(PreferenceData, given, self.preferences)
        if settings.preferences is None:
            raise SettingsError("this pipeline has no preferences; give them: preferences.sets.NAME.path=...")
        return with_changes(PreferenceData, settings.preferences, self.preferences)

    def make(self, chain: Chain) -> Artifact:
        pairs = prepare_preferences(chain.run, self.own_preferences(chain.settings, None if self.pairs is None else chain.made[self.pairs]))
        return optimise_preferences(chain.run, pairs, chain.policy(self.policy), self.render, self.training)


class GrpoStep(PolicyStep):
    """Learn from rollouts: the policy answers what the pipeline's conversations ask, and is rewarded."""

    kind: Literal["grpo"] = identity("grpo", "train a policy by what its own answers are worth")
    chats: dict[str, Any] = identity({}, "settings of `chats` that differ in this step, e.g. {sample: 1000}")
    form: Form = identity("chat", "chat: in the model's template; plain: a prompt is continued as it stands (base models)")
    training: GrpoTraining = section(GrpoTraining(), "how")

    @model_validator(mode="after")
    def _asks_conversations(self) -> GrpoStep:
        if self.training.environment is not None:
            raise ValueError("training.environment: a pipeline asks what its conversations ask; tasks in an environment are for jobs.grpo")
        return self

    def own_chats(self, settings: PipelineChainSettings) -> ChatSource:
        return _pipeline_chats(settings, self.chats)

    def make(self, chain: Chain) -> Artifact:
        chats = prepare_chats(chain.run, self.own_chats(chain.settings))
        return reinforce(chain.run, chats, chain.policy(self.policy), self.form, self.training)
