"""The steps that train chat models: fine-tuning on conversations, and on preferences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.chain import BASE, Chain, PipelineChainSettings, with_changes
from ray_pipeline.pipelines.prepare_chats import ChatSource, prepare_chats
from ray_pipeline.pipelines.prepare_preferences import PreferenceData, prepare_preferences
from ray_pipeline.pipelines.render import RenderSettings
from ray_pipeline.pipelines.render_pairs import RenderPairsSettings
from ray_pipeline.pipelines.train_policy import fine_tune, optimise_preferences
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.sft.settings import SftTraining


class PolicyStep(Settings):
    """A step that trains a decoder."""

    gives: ClassVar[str] = "policy"
    reads: ClassVar[Mapping[str, str]] = {"policy": "policy"}

    policy: str = source(BASE, "base (the pipeline's own policy), or the step whose policy is trained on")


class SftStep(PolicyStep):
    """Fine-tune on conversations."""

    kind: Literal["sft"] = identity("sft", "fine-tune a policy on conversations")
    chats: dict[str, Any] = identity({}, "settings of `chats` that differ in this step, e.g. {sample: 1000}")
    render: RenderSettings = section(RenderSettings(), "how conversations become tokens, and what of them is learned")
    training: SftTraining = section(SftTraining(), "how")

    def own_chats(self, settings: PipelineChainSettings) -> ChatSource:
        if settings.chats is None:
            raise SettingsError("this pipeline has no conversations; give them (chats.path=..., or a group chats=...)")
        return with_changes(type(settings.chats), settings.chats, self.chats)

    def make(self, chain: Chain) -> Artifact:
        chats = prepare_chats(chain.run, self.own_chats(chain.settings))
        return fine_tune(chain.run, chats, chain.policy(self.policy), self.render, self.training)


class DpoStep(PolicyStep):
    """Train on preferences; the policy that it begins from is the reference."""

    kind: Literal["dpo"] = identity("dpo", "train a policy on preferences")
    preferences: dict[str, Any] = identity({}, "settings of `preferences` that differ in this step, e.g. {eval_share: 0.2}")
    render: RenderPairsSettings = section(RenderPairsSettings(), "how pairs become tokens")
    training: DpoTraining = section(DpoTraining(), "how")

    def own_preferences(self, settings: PipelineChainSettings) -> PreferenceData:
        if settings.preferences is None:
            raise SettingsError("this pipeline has no preferences; give them: preferences.sets.NAME.path=...")
        return with_changes(PreferenceData, settings.preferences, self.preferences)

    def make(self, chain: Chain) -> Artifact:
        pairs = prepare_preferences(chain.run, self.own_preferences(chain.settings))
        return optimise_preferences(chain.run, pairs, chain.policy(self.policy), self.render, self.training)
