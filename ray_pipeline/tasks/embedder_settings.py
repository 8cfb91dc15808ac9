"""How an embedder is trained, beyond what every training shares."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, section
from ray_pipeline.data.training_batches import BatchRules
from ray_pipeline.models.adaptation import Adaptation, FullTuning
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings
from ray_pipeline.tasks.micro_batches import MicroBatchSettings
from ray_pipeline.training.settings import TrainSettings


class EmbedderTraining(Settings):
    """All of it."""

    train: TrainSettings = section(TrainSettings(), "length, batches, rates, evaluation")
    adaptation: Adaptation = section(FullTuning(), "what of the model is trained")
    objective: ContrastiveSettings = section(ContrastiveSettings(), "what the vectors are asked to do")
    batches: BatchRules = section(BatchRules(), "which rows train together")
    micro: MicroBatchSettings = section(MicroBatchSettings(), "what goes through the model at a time")
    guide: EmbedderSettings | None = section(None, "a model whose scores tell false negatives (objective.guide_margin)")
    export_precision: Literal["fp32", "bf16", "fp16"] = identity("fp32", "how the trained backbone is stored")
    shuffle_labels: bool = identity(False, "the control: train on the positives of other queries; nothing may be learned from it")

    @model_validator(mode="after")
    def _makes_sense(self) -> EmbedderTraining:
        if (self.guide is None) != (self.objective.guide_margin is None):
            raise ValueError("guide and objective.guide_margin come together: the margin is in the guide model's cosines")
        if self.objective.distill_weight > 0 and self.batches.negatives_per_query == 0:
            raise ValueError("objective.distill_weight > 0 compares a positive with its negatives; set batches.negatives_per_query")
        return self
