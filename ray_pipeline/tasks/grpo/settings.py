"""How a policy is trained on rollouts, beyond what every training shares."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, section
from ray_pipeline.models.adaptation import Adaptation, FullTuning
from ray_pipeline.objectives.advantage import AdvantageSettings, GrpoAdvantage
from ray_pipeline.objectives.policy_gradient import PolicyGradientSettings
from ray_pipeline.tasks.sft.settings import TokenBatchSettings
from ray_pipeline.training.settings import OptimizerSettings, TrainSettings


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

    @model_validator(mode="after")
    def _whole(self) -> GrpoTraining:
        if (self.reference == "none") != (self.loss.kl == "none"):
            raise ValueError(
                f"reference={self.reference} and loss.kl={self.loss.kl}: a reference is for the KL, and the KL needs one; set both, or neither"
            )
        if self.reference == "adapter" and self.adaptation.kind == "full":
            raise ValueError("reference=adapter is the model without its adapter, and adaptation.kind=full has none; take reference=copy")
        if not self.micro.packing:
            raise ValueError("micro.packing=false: rollouts share their prompt in packs; leave packing on")
        return self
