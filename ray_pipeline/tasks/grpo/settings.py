"""How a policy is trained on rollouts, beyond what every training shares."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.models.adaptation import Adaptation, FullTuning
from ray_pipeline.objectives.advantage import AdvantageSettings, GrpoAdvantage
from ray_pipeline.objectives.policy_gradient import PolicyGradientSettings
from ray_pipeline.rollout.draw_settings import DrawSettings
from ray_pipeline.rollout.environments.settings import EnvironmentSettings
from ray_pipeline.rollout.rewards.settings import RewardSettings
from ray_pipeline.rollout.settings import EngineSettings, EnginesSettings
from ray_pipeline.tasks.grpo.update_settings import UpdateSettings
from ray_pipeline.tasks.grpo.watch_settings import WatchSettings
from ray_pipeline.tasks.sft.settings import TokenBatchSettings
from ray_pipeline.training.settings import OptimizerSettings, TrainSettings


class ParitySettings(Settings):
    """How it is made sure that the engine draws with the trainer's weights."""

    every: int = identity(1, "check after every so many hand-overs of weights, and after the first", ge=1)
    most: float = identity(1e-4, "mean log-likelihoods of a draw may differ by so much: 1e-4 in fp32, 2e-2 in bf16", gt=0)
    prompts: int = identity(2, "prompts to draw behind", ge=1)


class GrpoTraining(Settings):
    """All of it. A batch is `train.batch_size` prompts with all their rollouts; how they are packed does not change what they teach."""

    train: TrainSettings = section(TrainSettings(batch_size=16, optimizer=OptimizerSettings(lr=1e-6)), "length, batches, rates")
    adaptation: Adaptation = section(FullTuning(), "what of the model is trained")
    advantage: AdvantageSettings = section(GrpoAdvantage(), "how rewards become advantages")
    loss: PolicyGradientSettings = section(PolicyGradientSettings(), "how advantages become a gradient")
    reference: Literal["none", "copy", "adapter"] = identity(
        "none", "whom the policy is kept near to: nobody; a frozen copy of what it began from; the model without its adapter"
    )
    drop_uniform: bool = identity(False, "leave out prompts whose rollouts are all worth the same: they teach nothing, but count as rollouts")
    drop_truncated: bool = identity(False, "leave out rollouts that were cut off: what they were worth is not known")
    micro: TokenBatchSettings = section(TokenBatchSettings(), "what goes through the model at a time; answers to a prompt share it")
    updates: UpdateSettings = section(UpdateSettings(), "how often a draw is learned from")
    environment: EnvironmentSettings | None = section(None, "what answers the policy while it acts; null: it answers once, and is judged")
    draw: DrawSettings = section(DrawSettings(), "how rollouts are drawn")
    reward: RewardSettings = section(RewardSettings(), "what they are rewarded for")
    replay: str | None = source(None, "learn from the rollouts that another training kept (a policy's folder or URI); nothing is drawn then")
    engine: EngineSettings = section(EngineSettings(), "how vLLM holds the model")
    engines: EnginesSettings = section(EnginesSettings(), "where engines are")
    parity: ParitySettings = section(ParitySettings(), "how far engine and trainer may be apart")
    watch: WatchSettings = section(WatchSettings(), "when the run is going wrong, and what is done about it")
    export_precision: Literal["fp32", "bf16", "fp16"] = identity("fp32", "how the trained model is stored")

    @model_validator(mode="after")
    def _whole(self) -> GrpoTraining:
        if (self.reference == "none") != (self.loss.kl == "none"):
            raise ValueError(
                f"reference={self.reference} and loss.kl={self.loss.kl}: a reference is for the KL, and the KL needs one; set both, or neither"
            )
        if self.reference == "adapter" and self.adaptation.kind == "full":
            raise ValueError("reference=adapter is the model without its adapter, and adaptation.kind=full has none; take reference=copy")
        if self.train.distributed.strategy == "fsdp" and self.adaptation.kind != "full":
            raise ValueError("train.distributed.strategy=fsdp: adapters are merged for the engine on ranks that hold the model whole; take ddp")
        if self.engine.sleeps and (self.draw.ahead or self.engines.apart):
            raise ValueError(
                "engine.sleeps=true: an engine that draws ahead, or has GPUs of its own (engines.apart), has no time to sleep; leave it false"
            )
        if not self.micro.packing:
            raise ValueError("micro.packing=false: rollouts share their prompt in packs; leave packing on")
        judged = {one.kind for one in self.reward.parts.values()}
        if self.environment is None and "task" in judged:
            raise ValueError(
                "reward kind=task is what an environment says, and environment is null; choose one (environment=bank), or another reward"
            )
        if self.environment is not None and judged & {"exact", "strict", "partial"}:
            raise ValueError(
                "reward kinds exact, strict and partial compare with a conversation's calls, and a task in an environment has none; take kind=task"
            )
        return self
