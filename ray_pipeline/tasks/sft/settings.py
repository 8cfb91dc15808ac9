"""How a policy is fine-tuned on conversations, beyond what every training shares."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, section
from ray_pipeline.models.adaptation import Adaptation, FullTuning
from ray_pipeline.training.settings import EvaluationSettings, TrainSettings

BY_LOSS: Final = EvaluationSettings(metric="eval_loss", greater_is_better=False)


class TokenBatchSettings(Settings):
    """What of a batch goes through the model at a time: memory and speed, and the last bits of the gradients."""

    token_budget: int = identity(4096, "tokens of one pack, or padded tokens of one micro batch, at most; a longer conversation goes alone", ge=16)
    packing: bool = identity(True, "conversations one behind another, none of which sees another; false: beside each other, padded")


class SftTraining(Settings):
    """All of it. A batch is `train.batch_size` conversations; how they are packed does not change what they teach."""

    train: TrainSettings = section(TrainSettings(batch_size=32, evaluation=BY_LOSS), "length, batches, rates, evaluation")
    adaptation: Adaptation = section(FullTuning(), "what of the model is trained")
    micro: TokenBatchSettings = section(TokenBatchSettings(), "what goes through the model at a time")
    neftune_alpha: float | None = identity(None, "noise on token embeddings while training (NEFTune; 5 is usual); null: none", gt=0)
    export_precision: Literal["fp32", "bf16", "fp16"] = identity("fp32", "how the trained model is stored")

    @model_validator(mode="after")
    def _compiles(self) -> SftTraining:
        if self.train.compile and self.micro.packing:
            raise ValueError("train.compile would compile anew for every pack; set micro.packing=false, or do not compile")
        return self
