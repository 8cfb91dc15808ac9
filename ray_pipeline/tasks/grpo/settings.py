"""How a policy is trained on rollouts, beyond what every training shares."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, section
from ray_pipeline.models.adaptation import Adaptation, FullTuning
from ray_pipeline.objectives.advantage import AdvantageSettings, GrpoAdvantage
from ray_pipeline.objectives.policy_gradient import PolicyGradientSettings
from ray_pipeline.rollout.draw_settings import DrawSettings
from ray_pipeline.rollout.rewards.settings import RewardSettings
from ray_pipeline.rollout.settings import EngineSettings
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
    draw: DrawSettings = section(DrawSettings(), "how rollouts are drawn")
    reward: RewardSettings = section(RewardSettings(), "what they are rewarded for")
    engine: EngineSettings = section(EngineSettings(), "how vLLM holds the model")
    parity: ParitySettings = section(ParitySettings(), "how far engine and trainer may be apart")
    export_precision: Literal["fp32", "bf16", "fp16"] = identity("fp32", "how the trained model is stored")

    @model_validator(mode="after")
    def _whole(self) -> GrpoTraining:
        if (self.reference == "none") != (self.loss.kl == "none"):
            raise ValueError(
                f"reference={self.reference} and loss.kl={self.loss.kl}: a reference is for the KL, and the KL needs one; set both, or neither"
            )
        if self.reference == "adapter" and self.adaptation.kind == "full":
            raise ValueError("reference=adapter is the model without its adapter, and adaptation.kind=full has none; take reference=copy")
        if self.train.distributed.strategy != "ddp":
            raise ValueError("train.distributed.strategy=fsdp: weights are handed to engines whole, from ranks that hold them whole; take ddp")
        if not self.micro.packing:
            raise ValueError("micro.packing=false: rollouts share their prompt in packs; leave packing on")
        return self
