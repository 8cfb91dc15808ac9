"""A reranker's loss: the order of each query's own list, learned from its labels, from a teacher, or from both.

    loss of a query = ce_weight * (listwise or pointwise loss) + distill_weight * KL divergence from the teacher

Rows, the positive first; see `listwise.py` and `distillation.py` for the two parts. The student of the distillation is the raw
score.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import model_validator
from torch import Tensor

from ray_pipeline.config import Settings, identity
from ray_pipeline.objectives.distillation import distillation_rows
from ray_pipeline.objectives.listwise import listwise_rows, pointwise_rows


class RerankingSettings(Settings):
    """What the scores of a list are asked to do."""

    kind: Literal["listwise", "pointwise"] = identity(
        "listwise", "listwise: cross entropy of the positive among its list; pointwise: yes or no of each document by itself"
    )
    label_smoothing: float = identity(0.0, "share of the target that is spread over the query's own list", ge=0, lt=1)
    temperature: float = identity(1.0, "scores are divided by this before the labels' loss", gt=0)
    ce_weight: float = identity(1.0, "weight of the labels' loss", ge=0)
    distill_weight: float = identity(0.0, "weight of the KL divergence from the teacher's scores", ge=0)
    student_temperature: float = identity(1.0, "divides the scores in the KL divergence", gt=0)
    teacher_temperature: float = identity(1.0, "divides the teacher's raw scores in the KL divergence", gt=0)

    @model_validator(mode="after")
    def _something_is_learned(self) -> RerankingSettings:
        if self.ce_weight == 0 and self.distill_weight == 0:
            raise ValueError("ce_weight and distill_weight are both 0: nothing would be learned")
        if self.ce_weight == 0 and (self.label_smoothing or self.temperature != 1):
            raise ValueError("label_smoothing and temperature are read by the labels' loss; with ce_weight=0 there is none")
        return self


def reranking_rows(scores: Tensor, listed: Tensor, teacher: Tensor | None, settings: RerankingSettings) -> tuple[Tensor, dict[str, Tensor]]:
    """From [c, 1 + K] scores, what of them is real, and a teacher's scores (NaN: unknown): [c] each query's loss, and of each
    what is to be counted: whether its positive came out first, its lists without a negative, its lists without a teacher."""
    losses = torch.zeros_like(scores[:, 0])
    alone = listed.sum(1) < 2
    counted = {"alone": alone, "untaught": torch.zeros_like(alone)}
    if settings.ce_weight:
        scaled = scores / settings.temperature
        rows = (
            listwise_rows(scaled, listed, settings.label_smoothing)[0]
            if settings.kind == "listwise"
            else pointwise_rows(scaled, listed, settings.label_smoothing)
        )
        losses = losses + settings.ce_weight * rows
    if settings.distill_weight:
        known = torch.full_like(scores, torch.nan) if teacher is None else torch.where(listed, teacher, torch.nan)
        rows, counted["untaught"] = distillation_rows(scores, known, settings.student_temperature, settings.teacher_temperature)
        losses = losses + settings.distill_weight * rows
    best_other = torch.where(listed, scores.detach(), -torch.inf)[:, 1:].amax(1) if scores.shape[1] > 1 else torch.full_like(losses, -torch.inf)
    counted["correct"] = scores[:, 0].detach() > best_other
    return losses, counted
