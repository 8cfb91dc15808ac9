"""Listwise and pointwise losses: by hand and against loops; `test_reranking_parity.py` holds them against sentence-transformers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ray_pipeline.objectives.listwise import listwise_rows, pointwise_rows


def test_listwise_by_hand() -> None:
    scores = torch.tensor([[math.log(2.0), 0.0, 0.0, 9.0]], dtype=torch.float64)
    listed = torch.tensor([[True, True, True, False]])
    losses, alone = listwise_rows(scores, listed)
    assert losses.item() == pytest.approx(math.log(2.0))  # exp(score): 2 of 4
    assert not alone.any()
    smoothed, _ = listwise_rows(scores, listed, 0.3)  # targets 0.8, 0.1, 0.1; log p = -log 2, -log 4, -log 4
    assert smoothed.item() == pytest.approx(0.8 * math.log(2.0) + 0.2 * math.log(4.0))


def test_smoothing_spreads_over_the_querys_own_list() -> None:
    scores = torch.zeros(1, 16, dtype=torch.float64, requires_grad=True)
    losses, _ = listwise_rows(scores, torch.ones(1, 16, dtype=torch.bool), 0.2)
    losses.sum().backward()
    assert scores.grad is not None
    targets = 1 / 16 - scores.grad[0]  # the gradient of cross entropy is p - t
    assert targets[0].item() == pytest.approx(0.8125)
    assert targets[1:].tolist() == pytest.approx([0.0125] * 15)


def test_pointwise_by_hand() -> None:
    scores = torch.tensor([[0.0, math.log(3.0), 50.0]], dtype=torch.float64)
    listed = torch.tensor([[True, True, False]])
    assert pointwise_rows(scores, listed).item() == pytest.approx((math.log(2.0) + math.log(4.0)) / 2)
    # targets 0.9 and 0.1; p of the second is 3/4
    smoothed = (math.log(2.0) + 0.1 * math.log(4 / 3) + 0.9 * math.log(4.0)) / 2
    assert pointwise_rows(scores, listed, 0.2).item() == pytest.approx(smoothed)


def test_a_query_without_a_negative_teaches_nothing_and_is_counted() -> None:
    scores = torch.tensor([[3.0, 1.0], [1.0, 2.0]], requires_grad=True)
    losses, alone = listwise_rows(scores, torch.tensor([[True, False], [True, True]]), 0.2)
    losses.sum().backward()
    assert alone.tolist() == [True, False]
    assert losses[0].item() == 0
    assert scores.grad is not None
    assert scores.grad[0].tolist() == [0, 0]
    assert scores.grad[1].abs().min() > 0


def slow_listwise(scores: Tensor, listed: Tensor, smoothing: float) -> list[Tensor]:
    losses = []
    for row, among in zip(scores, listed.tolist(), strict=True):
        own = [score for score, is_listed in zip(row, among, strict=True) if is_listed]
        total = sum((score.exp() for score in own), torch.zeros((), dtype=torch.float64))
        targets = [(1 - smoothing) * (place == 0) + smoothing / len(own) for place in range(len(own))]
        cross = sum((-target * (score.exp() / total).log() for target, score in zip(targets, own, strict=True)), torch.zeros((), dtype=torch.float64))
        losses.append(cross if len(own) > 1 else 0 * cross)
    return losses


def slow_pointwise(scores: Tensor, listed: Tensor, smoothing: float) -> list[Tensor]:
    losses = []
    for row, among in zip(scores, listed.tolist(), strict=True):
        own = [score.sigmoid() for score, is_listed in zip(row, among, strict=True) if is_listed]
        targets = [(1 - smoothing) * (place == 0) + smoothing / 2 for place in range(len(own))]
        terms = [-(target * p.log() + (1 - target) * (1 - p).log()) for target, p in zip(targets, own, strict=True)]
        losses.append(torch.stack(terms).mean())
    return losses


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.2, 0.5]))
def test_equal_to_loops_with_their_gradients(seed: int, smoothing: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    listed = torch.rand(4, 5, generator=generator) < 0.7
    listed[:, 0] = True
    values = torch.randn(4, 5, dtype=torch.float64, generator=generator) * 3
    for ours, theirs in (
        (lambda s: listwise_rows(s, listed, smoothing)[0], slow_listwise),
        (lambda s: pointwise_rows(s, listed, smoothing), slow_pointwise),
    ):
        fast, slow = values.clone().requires_grad_(), values.clone().requires_grad_()
        found, expected = ours(fast), torch.stack(theirs(slow, listed, smoothing))
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        found.sum().backward()
        expected.sum().backward()
        torch.testing.assert_close(fast.grad, slow.grad, rtol=1e-9, atol=1e-10)


def test_large_scores_stay_finite() -> None:
    scores = torch.tensor([[-1e4, 1e4, 0.0]], requires_grad=True)
    listed = torch.tensor([[True, True, False]])
    (listwise_rows(scores, listed, 0.1)[0] + pointwise_rows(scores, listed, 0.1)).sum().backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
