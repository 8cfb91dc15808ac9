"""Likelihood and entropy from the same logits: by hand, and against torch with all logits, with the gradients of both."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.models.policy.entropy import likelihood_and_entropy
from ray_pipeline.models.policy.likelihood import token_log_likelihood


def test_by_hand() -> None:
    """Three quarters and a quarter."""
    states, weight = torch.tensor([[1.0]]), torch.tensor([[math.log(3.0)], [0.0]])
    expected = torch.tensor([[math.log(0.75)], [-(0.75 * math.log(0.75) + 0.25 * math.log(0.25))]])
    assert torch.allclose(likelihood_and_entropy(states, weight, torch.tensor([0])), expected)


@settings(max_examples=40, deadline=None)
@given(tokens=st.integers(0, 20), words=st.integers(1, 30), size=st.integers(1, 6), chunk=st.integers(1, 25), seed=st.integers(0, 999))
def test_equals_torch_with_its_gradients(tokens: int, words: int, size: int, chunk: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(tokens, size, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(words, size, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, words, (tokens,), generator=generator)
    wanted = torch.randn(2, tokens, generator=generator, dtype=torch.float64)
    logs = (states @ weight.T).log_softmax(1)
    oracle = torch.stack([logs.gather(1, targets[:, None])[:, 0], -(logs.exp() * logs).sum(1)])
    found = likelihood_and_entropy(states, weight, targets, chunk)
    assert torch.allclose(found, oracle, atol=1e-12)
    ours = torch.autograd.grad((found * wanted).sum(), (states, weight))
    theirs = torch.autograd.grad((oracle * wanted).sum(), (states, weight))
    assert all(torch.allclose(one, other, atol=1e-12) for one, other in zip(ours, theirs, strict=True))


def test_the_likelihood_is_that_of_the_likelihood_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    states, weight = torch.randn(50, 16, generator=generator).bfloat16(), torch.randn(500, 16, generator=generator).bfloat16()
    targets = torch.randint(0, 500, (50,), generator=generator)
    found = likelihood_and_entropy(states, weight, targets, 7)
    assert found.dtype == torch.float32
    assert torch.equal(found[0], token_log_likelihood(states, weight, targets, 7))
    assert (found[1] > 0).all() and (found[1] <= math.log(500)).all()
