"""A reranker's loss: labels, teacher, both, and what is counted."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from ray_pipeline.objectives.distillation import distillation_rows
from ray_pipeline.objectives.listwise import listwise_rows, pointwise_rows
from ray_pipeline.objectives.reranking import RerankingSettings, reranking_rows

SCORES = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 9.0], [1.0, 7.0, 7.0]], dtype=torch.float64)
LISTED = torch.tensor([[True, True, True], [True, True, False], [True, False, False]])
TEACHER = torch.tensor([[5.0, 1.0, math.nan], [2.0, math.nan, 4.0], [1.0, 1.0, 1.0]], dtype=torch.float64)


def test_the_parts_add_up() -> None:
    settings = RerankingSettings(
        label_smoothing=0.2, temperature=2.0, ce_weight=0.5, distill_weight=3.0, student_temperature=1.5, teacher_temperature=2.5
    )
    losses, counted = reranking_rows(SCORES, LISTED, TEACHER, settings)
    labels = listwise_rows(SCORES / 2.0, LISTED, 0.2)[0]
    taught, _ = distillation_rows(SCORES, torch.where(LISTED, TEACHER, torch.nan), 1.5, 2.5)
    assert torch.allclose(losses, 0.5 * labels + 3.0 * taught)
    assert counted["untaught"].tolist() == [False, True, True]  # the second's other score belongs to a place that is not filled
    assert counted["alone"].tolist() == [False, False, True]
    assert counted["correct"].tolist() == [True, False, True]


def test_pointwise() -> None:
    losses, _ = reranking_rows(SCORES, LISTED, None, RerankingSettings(kind="pointwise"))
    assert torch.equal(losses, pointwise_rows(SCORES, LISTED))


def test_a_teacher_that_is_not_asked_is_not_read() -> None:
    with_teacher, without = (reranking_rows(SCORES, LISTED, one, RerankingSettings())[0] for one in (TEACHER, None))
    assert torch.equal(with_teacher, without)


def test_a_teacher_alone() -> None:
    settings = RerankingSettings(ce_weight=0, distill_weight=1)
    same = torch.where(LISTED, SCORES, torch.nan)
    assert reranking_rows(SCORES, LISTED, same, settings)[0].tolist() == pytest.approx([0, 0, 0])  # who agrees has nothing to learn


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ce_weight": 0}, "both 0: nothing would be learned"),
        ({"ce_weight": 0, "distill_weight": 1, "label_smoothing": 0.1}, "with ce_weight=0 there is none"),
    ],
)
def test_settings_that_say_nothing_are_refused(given: dict[str, float], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RerankingSettings(**given)  # type: ignore[arg-type]
