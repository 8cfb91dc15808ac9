"""The losses sentence-transformers trains cross-encoders with: the same values, and the same gradients of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ray_pipeline.objectives.distillation import distillation_rows
from ray_pipeline.objectives.listwise import listwise_rows, pointwise_rows

QUERIES = ["the area of a square", "half of ten", "an angle in a triangle"]
POSITIVES = ["the side times itself", "divide by two", "three of them make 180"]
NEGATIVES = ["the side times four", "take away two", "all are ninety"]


@pytest.fixture(scope="module")
def cross_encoder(tiny_model: Path) -> Any:
    from sentence_transformers import CrossEncoder

    torch.manual_seed(0)
    model = CrossEncoder(str(tiny_model), num_labels=1, device="cpu", max_length=40)
    with torch.no_grad():
        model.model.classifier.weight.mul_(40)  # a fresh head says almost the same of everything
    return model.double().eval()  # gradients of lists are differences of nearly equal numbers


def scores_of(model: Any, lists: Sequence[tuple[str, Sequence[str]]]) -> Tensor:
    """[lists, documents] logits, with their graph."""
    pairs = [(query, document) for query, documents in lists for document in documents]
    found: Tensor = model(model.preprocess(pairs))["scores"]
    return found.view(len(lists), -1)


def require_equal(model: Any, ours: Callable[[], Tensor], theirs: Callable[[], Tensor], precision: float = 1e-5) -> None:
    gradients = []
    values = []
    for loss in (ours, theirs):
        model.zero_grad()
        found = loss()
        found.backward()  # type: ignore[no-untyped-call]
        values.append(float(found.detach()))
        gradients.append({name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None})
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    assert gradients[0].keys() == gradients[1].keys()
    largest = max(float(one.abs().max()) for one in gradients[1].values())
    assert largest > 1e-4
    for name, one in gradients[0].items():
        torch.testing.assert_close(one, gradients[1][name], rtol=10 * precision, atol=precision * largest)


def test_multiple_negatives_ranking(cross_encoder: Any) -> None:
    """Their list of a query is its positive, all texts of the other queries, and its negatives."""
    from sentence_transformers.cross_encoder.losses import MultipleNegativesRankingLoss

    theirs = MultipleNegativesRankingLoss(cross_encoder, num_negatives=None, scale=4, activation_fn=None)
    lists = []
    for own, (query, positive, negative) in enumerate(zip(QUERIES, POSITIVES, NEGATIVES, strict=True)):
        others = [text for texts in (POSITIVES, NEGATIVES) for row, text in enumerate(texts) if row != own]
        lists.append((query, [positive, *others, negative]))

    def ours() -> Tensor:
        scores = 4 * scores_of(cross_encoder, lists)
        return listwise_rows(scores, torch.ones_like(scores, dtype=torch.bool))[0].mean()

    require_equal(cross_encoder, ours, lambda: theirs([QUERIES, POSITIVES, NEGATIVES], torch.zeros(3)))


def test_binary_cross_entropy(cross_encoder: Any) -> None:
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    lists = [(query, pair) for query, *pair in zip(QUERIES, POSITIVES, NEGATIVES, strict=True)]

    def ours() -> Tensor:
        scores = scores_of(cross_encoder, lists)
        return pointwise_rows(scores, torch.ones_like(scores, dtype=torch.bool)).mean()

    theirs = BinaryCrossEntropyLoss(cross_encoder)
    labels = torch.tensor([1.0] * 3 + [0.0] * 3)
    require_equal(cross_encoder, ours, lambda: theirs([QUERIES * 2, POSITIVES + NEGATIVES], labels))


def test_listnet_is_distillation_and_the_teachers_entropy(cross_encoder: Any) -> None:
    """Their cross entropy with the teacher's softmax is our divergence from it and what the student cannot change."""
    from sentence_transformers.cross_encoder.losses import ListNetLoss

    lists = [(query, [positive, negative, "no idea"]) for query, positive, negative in zip(QUERIES, POSITIVES, NEGATIVES, strict=True)]
    teacher = torch.tensor([[2.0, 1.0, -1.0], [0.0, 3.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64)
    shares = teacher.softmax(1)
    entropy = -(shares * shares.log()).sum(1).mean()

    def ours() -> Tensor:
        return distillation_rows(scores_of(cross_encoder, lists), teacher, 1.0, 1.0)[0].mean() + entropy

    theirs = ListNetLoss(cross_encoder)
    require_equal(cross_encoder, ours, lambda: theirs([QUERIES, [list(documents) for _, documents in lists]], list(teacher)), 2e-4)  # fp32 inside
