"""The losses of a row by hand, and the one function that splits a block of scores."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings
from ray_pipeline.objectives.in_batch import NOTHING, HardnessWeight, RowScores, SplitScores, contrastive_rows

# one query: the drawn positive at logit 2, another positive at 1, a negative at 0
LOGITS = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)


def row(positives: str, logits: torch.Tensor = LOGITS, partition: str = "joint") -> float:
    settings = ContrastiveSettings(positives=positives, partition=partition)  # type: ignore[arg-type]
    columns = torch.tensor([0] if positives == "one" else [0, 1])
    rows = torch.zeros_like(columns)
    blank = torch.tensor([[True, positives != "one", False]])
    rest, taken, _ = SplitScores.apply(logits, blank, rows, columns, None)  # type: ignore[no-untyped-call]
    loss, empty = contrastive_rows(RowScores({"query_to_doc": rest}, taken[:1], rows, taken), settings)
    assert not empty.any()
    return loss.item()


@pytest.mark.parametrize(
    ("positives", "expected"),
    [
        ("one", 0.407606),  # ln(e^2 + e + 1) - 2 = 2.407606 - 2
        ("each", 0.907606),  # the mean of 2.407606 - 2 and 2.407606 - 1
        ("others_removed", 0.220095),  # the mean of ln(e^2 + 1) - 2 = 0.126928 and ln(e + 1) - 1 = 0.313262
    ],
)
def test_two_positives_and_a_negative_by_hand(positives: str, expected: float) -> None:
    assert row(positives) == pytest.approx(expected, abs=1e-6)
    assert row(positives, LOGITS + 1000) == pytest.approx(expected, abs=1e-6)  # no exponential leaves its range


def test_joint_and_per_direction_by_hand() -> None:
    drawn = torch.tensor([2.0], dtype=torch.float64)
    negatives = {"query_to_doc": torch.tensor([0.0], dtype=torch.float64), "doc_to_query": torch.tensor([1.2], dtype=torch.float64)}
    scores = RowScores(negatives, drawn, torch.tensor([0]), drawn)  # type: ignore[arg-type]
    directions: Any = ("query_to_doc", "doc_to_query")
    # ln(2 e^2 + 1 + e^1.2) - 2 = ln(14.778112 + 1 + 3.320117) - 2;  (ln(1 + e^-2) + ln(1 + e^-0.8)) / 2 = (0.126928 + 0.371101) / 2
    assert contrastive_rows(scores, ContrastiveSettings(directions=directions))[0].item() == pytest.approx(0.949595, abs=1e-6)
    apart = ContrastiveSettings(directions=directions, partition="per_direction")
    assert contrastive_rows(scores, apart)[0].item() == pytest.approx(0.249014, abs=1e-6)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("in_batch_negatives", 0.740805),  # the other's document: 0.5 + 2 * 0.25 = 1.0
        ("hard_negatives", 1.038401),  # the own negative: 1.0 + 2 * 0.5 = 2.0
        ("all_negatives", 1.112067),  # both
    ],
)
def test_hardness_by_hand(of: Any, expected: float) -> None:
    # similarities 0.8 (drawn), 0.5 (own negative), 0.25 (another's document), scale 2, alpha 2: logits 1.6, 1.0, 0.5
    logits = torch.tensor([[1.6, 1.0, 0.5]], dtype=torch.float64)
    hardness = HardnessWeight(of, 1 + 2 / 2, torch.tensor([[0, 1]]))
    at = torch.tensor([0])
    rest, taken, top = SplitScores.apply(logits, torch.tensor([[True, False, False]]), at, at, hardness)  # type: ignore[no-untyped-call]
    loss, _ = contrastive_rows(RowScores({"query_to_doc": rest}, taken, at, taken), ContrastiveSettings())
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    assert top.item() == 1.0  # what is said of the ranking knows no hardness
    assert logits.tolist() == [[1.6, 1.0, 0.5]]


def test_split_scores_has_the_gradient_of_its_parts() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    plain = logits.detach().clone().requires_grad_()
    blank = torch.rand(4, 6) < 0.4
    blank[2] = True  # a row without negatives
    rows, columns = torch.tensor([0, 2, 2, 3]), torch.tensor([1, 0, 5, 3])
    rest, taken, top = SplitScores.apply(logits, blank, rows, columns, None)  # type: ignore[no-untyped-call]
    assert rest[2] == NOTHING and top[2] == -torch.inf
    keep = torch.tensor([0, 1, 3])
    expected = torch.logsumexp(plain.masked_fill(blank, -torch.inf)[keep], 1)
    torch.testing.assert_close(rest[keep], expected)
    weights = torch.tensor([0.3, -1.0, 7.0, 2.0], dtype=torch.float64)
    (rest @ weights + taken @ weights).backward()
    (expected @ weights[keep] + plain[rows, columns] @ weights).backward()
    torch.testing.assert_close(logits.grad, plain.grad)


def test_split_scores_is_sent_back_once() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    at = torch.tensor([0])
    rest, _, _ = SplitScores.apply(logits, torch.zeros(2, 3, dtype=torch.bool), at, at, None)  # type: ignore[no-untyped-call]
    rest.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        rest.sum().backward()


def test_an_infinite_logit_shows_as_nan() -> None:
    at = torch.tensor([0])
    logits = torch.tensor([[1.0, torch.inf]])
    rest, taken, _ = SplitScores.apply(logits, torch.tensor([[True, False]]), at, at, None)  # type: ignore[no-untyped-call]
    assert not contrastive_rows(RowScores({"query_to_doc": rest}, taken, at, taken), ContrastiveSettings())[0].isfinite().any()
