"""How a reranker is trained, beyond what every training shares."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, section
from ray_pipeline.data.training_batches import BatchRules
from ray_pipeline.models.adaptation import Adaptation, FullTuning
from ray_pipeline.objectives.reranking import RerankingSettings
from ray_pipeline.tasks.micro_batches import MicroBatchSettings
from ray_pipeline.training.settings import TrainSettings

LISTS = BatchRules(negatives_per_query=15, no_duplicates=False)


class RerankerTraining(Settings):
    """All of it."""

    train: TrainSettings = section(TrainSettings(), "length, batches, rates, evaluation")
    adaptation: Adaptation = section(FullTuning(), "what of the model is trained")
    objective: RerankingSettings = section(RerankingSettings(), "what the scores are asked to do")
    batches: BatchRules = section(LISTS, "which queries train together, and how long their lists are")
    micro: MicroBatchSettings = section(MicroBatchSettings(), "what goes through the model at a time")
    candidates: int = identity(25, "documents a query that are reranked in evaluation", ge=1)
    export_precision: Literal["fp32", "bf16", "fp16"] = identity("fp32", "how the trained model is stored")
    shuffle_labels: bool = identity(False, "the control: train on the positives of other queries; nothing may be learned from it")

    @model_validator(mode="after")
    def _has_lists(self) -> RerankerTraining:
        if self.batches.negatives_per_query == 0 and (self.objective.kind == "listwise" or self.objective.distill_weight > 0):
            raise ValueError("a list of one document has no order to learn; set batches.negatives_per_query")
        return self
