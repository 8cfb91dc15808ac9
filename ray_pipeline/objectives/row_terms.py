"""What some rows of a batch contribute to the objective: their blocks of scores, the losses, the counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import torch
from torch import Tensor

from ray_pipeline.errors import DataError
from ray_pipeline.objectives.batch_facts import BatchFacts
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings, Direction
from ray_pipeline.objectives.distillation import distillation_rows
from ray_pipeline.objectives.false_negatives import REASONS, FalseNegatives
from ray_pipeline.objectives.in_batch import HardnessWeight, RowScores, SplitScores, contrastive_rows

Side = Literal["query", "doc"]
Product = Callable[[Tensor, Side], Tensor]  # [c, d] by all vectors of a side: [c, N]

SUMMED: Final = ("loss", "contrastive", "distillation", "correct", "without_negatives", "without_teacher", *(f"masked_{name}" for name in REASONS))
LOSSES: Final = 3  # of these, how many are losses


class RowTerms:
    """The objective for rows of one batch; made once a step."""

    def __init__(self, facts: BatchFacts, settings: ContrastiveSettings) -> None:
        if settings.distill_weight > 0 and facts.teacher is None:
            raise DataError(
                f"distill_weight={settings.distill_weight}, but the training groups carry no teacher scores; "
                "score them (mining keeps a reranker's scores), or set distill_weight=0"
            )
        self.facts, self.settings = facts, settings
        self._rules = FalseNegatives(facts, settings)

    def __call__(self, rows: range, anchors: Tensor, targets: Tensor, product: Product, scale: float | Tensor) -> tuple[Tensor, Tensor]:
        """[c] weighted losses of `rows`, and their sums in the order of SUMMED. `anchors` [c, d] are the rows' queries,
        `targets` [c, d] their drawn positives."""
        facts, settings = self.facts, self.settings
        scores, own, correct, masked = self._scores(rows, {"query": anchors * scale, "doc": targets * scale}, product, scale)
        contrastive, empty = contrastive_rows(scores, settings)
        distilled, untaught = torch.zeros_like(contrastive), torch.zeros_like(empty)
        if settings.distill_weight > 0:
            distilled, untaught = distillation_rows(own / scale, self._teacher(rows), settings.student_temperature, settings.teacher_temperature)
        if facts.weight is not None:
            weight = facts.weight[rows.start : rows.stop]
            contrastive, distilled = contrastive * weight, distilled * weight
        loss = settings.ce_weight * contrastive + settings.distill_weight * distilled
        counted = [values.detach().sum(dtype=torch.float64) for values in (loss, contrastive, distilled, correct, empty, untaught)]
        return loss, torch.cat([torch.stack(counted), masked.double()])

    def _scores(self, rows: range, left: Mapping[str, Tensor], product: Product, scale: float | Tensor) -> tuple[RowScores, Tensor, Tensor, Tensor]:
        """The rows' scores, the logits of their own lists [c, 1 + K], whether the drawn positive is first, and what was masked."""
        facts, settings = self.facts, self.settings
        own = facts.own_columns(rows)
        here = torch.arange(len(rows), device=own.device)
        positives = self._rules.positives(rows)
        if settings.positives == "one":
            row, column = here, own[:, 0]
        else:
            row, column = torch.nonzero(positives, as_tuple=True)

        logits = product(left["query"], "doc")
        drawn = logits.detach()[here, own[:, 0]]
        blank = positives.clone()
        masked = self._rules.blank("query_to_doc", rows, blank, logits.detach(), drawn, scale)
        at = torch.cat([here.repeat_interleave(own.shape[1]), row]), torch.cat([own.flatten(), column])
        rest, taken, best = SplitScores.apply(logits, blank, *at, self._hardness(own, scale))  # type: ignore[no-untyped-call]
        lists, positive = taken[: own.numel()].view(own.shape), taken[own.numel() :]
        negatives: dict[Direction, Tensor] = {"query_to_doc": rest}

        for direction in settings.directions:
            if direction == "query_to_doc":
                continue
            side: Side = "doc" if direction.endswith("doc") else "query"
            logits = product(left[direction.split("_")[0]], side)
            if side == "doc":
                blank = positives.scatter(1, own, True)  # a document is not set against others of its own query
            else:
                blank = torch.zeros_like(logits, dtype=torch.bool)
                blank[here, here + rows.start] = True
            masked += self._rules.blank(direction, rows, blank, logits.detach(), drawn, scale)
            negatives[direction] = SplitScores.apply(logits, blank, here[:0], here[:0], None)[0]  # type: ignore[no-untyped-call]
        return RowScores(negatives, lists[:, 0], row, positive), lists, lists[:, 0].detach() > best, masked

    def _hardness(self, own: Tensor, scale: float | Tensor) -> HardnessWeight | None:
        settings = self.settings
        if settings.hardness == "none":
            return None
        return HardnessWeight(settings.hardness, 1 + settings.hardness_strength / (scale.detach() if isinstance(scale, Tensor) else scale), own)

    def _teacher(self, rows: range) -> Tensor:
        """[c, 1 + K] the teacher's scores, NaN where there are none."""
        facts = self.facts
        scores = torch.nan if facts.teacher is None else facts.teacher[rows.start : rows.stop]
        return torch.where(facts.own[rows.start : rows.stop] < 0, torch.nan, scores)
