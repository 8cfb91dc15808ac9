"""What the steps of a pipeline work with: its settings, and what earlier steps gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import Settings, layered, parse, section
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.pipelines.prepare_chats import ChatData
from ray_pipeline.pipelines.prepare_preferences import PreferenceData
from ray_pipeline.pipelines.problems import ProblemData
from ray_pipeline.pipelines.retrieve import ChainSettings
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.train_policy import trained_policy
from ray_pipeline.pipelines.train_reranker import trained_reranker

BASE: Final = "base"  # the pipeline's own model, where a step could be named
BASED: Final = ("model", "reranker", "rerankers", "policy")  # the fields that may name it
S = TypeVar("S", bound=Settings)


class PipelineChainSettings(ChainSettings):
    """What the steps of a pipeline share. Those of retrieval read `data` and `model`, those of chat models the others."""

    reranker: RerankerSettings | None = section(None, "the reranker that the pipeline's rerankers begin from")
    policy: PolicySettings | None = section(None, "the decoder that the pipeline's policies begin from")
    chats: ChatData | None = section(None, "the conversations that policies are fine-tuned on")
    preferences: PreferenceData | None = section(None, "the pairs of answers that policies are trained on")
    problems: ProblemData | None = section(None, "the programming problems that policies learn from")
    held_out: ProblemData | None = section(None, "the programming problems that they are measured by")


@dataclass(frozen=True)
class Chain:
    """What a step has to work with: the run, the pipeline's settings, what earlier steps gave."""

    run: Run
    settings: PipelineChainSettings
    made: Mapping[str, Artifact]
    command: str  # what the user ran

    def reranker(self, name: str) -> RerankerSettings:
        """The pipeline's own reranker, or what a step has made of one."""
        base = self.settings.reranker
        if base is None:
            raise SettingsError("this pipeline has no reranker; give one (reranker.name=..., or a group reranker=...)")
        return base if name == BASE else trained_reranker(self.made[name], base)

    def policy(self, name: str) -> PolicySettings:
        """The pipeline's own decoder, or what a step has made of one."""
        base = self.settings.policy
        if base is None:
            raise SettingsError("this pipeline has no policy; give one (policy.name=..., or a group policy=...)")
        return base if name == BASE else trained_policy(self.made[name], base)


def with_changes(kind: type[S], given: S, changes: Mapping[str, Any]) -> S:
    """Settings with what a step says of them; checked like the pipeline's own."""
    return parse(kind, layered(given.model_dump(mode="json"), changes)) if changes else given
