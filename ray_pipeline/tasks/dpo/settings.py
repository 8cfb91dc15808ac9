"""How a policy is trained on preferences, beyond what every training shares."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, section
from ray_pipeline.data.preferences.mixture import MixtureSettings
from ray_pipeline.models.adaptation import Adaptation, FullTuning
from ray_pipeline.objectives.preference import OrpoSettings, PreferenceSettings, SigmoidSettings, SimpoSettings
from ray_pipeline.tasks.sft.settings import TokenBatchSettings
from ray_pipeline.training.settings import EvaluationSettings, OptimizerSettings, TrainSettings

BY_ACCURACY: Final = EvaluationSettings(metric="accuracy")


class DpoTraining(Settings):
    """All of it. A batch is `train.batch_size` pairs; the loss is divided by their weights."""

    train: TrainSettings = section(
        TrainSettings(batch_size=32, optimizer=OptimizerSettings(lr=1e-6), evaluation=BY_ACCURACY), "length, batches, rates, evaluation"
    )
    adaptation: Adaptation = section(FullTuning(), "what of the model is trained")
    objective: PreferenceSettings = section(SigmoidSettings(), "what is asked of the two answers")
    sft_weight: float = identity(0.0, "of the preferred answers' mean negative log-likelihood, a token, beside the objective", ge=0)
    mixture: MixtureSettings = section(MixtureSettings(), "how several sets are put together")
    reference: Literal["precomputed", "copy", "adapter"] = identity(
        "precomputed",
        "the reference's log-likelihoods: computed once, before the training; by a frozen copy of the model; by the model without its adapter",
    )
    micro: TokenBatchSettings = section(TokenBatchSettings(), "what goes through the model at a time; a pair's two answers go together")
    export_precision: Literal["fp32", "bf16", "fp16"] = identity("fp32", "how the trained model is stored")

    @property
    def refers(self) -> bool:
        """Whether the objective compares with a reference."""
        return not isinstance(self.objective, SimpoSettings | OrpoSettings)

    @model_validator(mode="after")
    def _makes_sense(self) -> DpoTraining:
        if self.reference == "adapter" and isinstance(self.adaptation, FullTuning):
            raise ValueError("reference=adapter is the model without its adapter, and all weights are trained; set adaptation.kind=lora, or another")
        if isinstance(self.objective, OrpoSettings) and self.sft_weight == 0:
            raise ValueError("objective.kind=orpo is meant beside the likelihood of the preferred answer; set sft_weight=1")
        if self.train.compile and self.micro.packing:
            raise ValueError("train.compile would compile anew for every pack; set micro.packing=false, or do not compile")
        return self
