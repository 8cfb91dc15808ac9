"""Log-likelihoods by hand, against torch's own, in any chunks, with their gradients, in little memory."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ray_pipeline.models.policy.likelihood import token_log_likelihood
from tests.processes import ROOT


def test_by_hand() -> None:
    states, weight = torch.tensor([[1.0, 0.0]]), torch.tensor([[math.log(3.0), 5.0], [0.0, 7.0]])
    assert torch.allclose(token_log_likelihood(states, weight, torch.tensor([0])), torch.tensor([math.log(3 / 4)]))


@settings(max_examples=40, deadline=None)
@given(tokens=st.integers(0, 20), words=st.integers(1, 30), size=st.integers(1, 6), chunk=st.integers(1, 25), seed=st.integers(0, 999))
def test_equals_torch_with_its_gradients(tokens: int, words: int, size: int, chunk: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(tokens, size, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(words, size, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, words, (tokens,), generator=generator)
    wanted = torch.randn(tokens, generator=generator, dtype=torch.float64)
    oracle = -functional.cross_entropy(states @ weight.T, targets, reduction="none")
    found = token_log_likelihood(states, weight, targets, chunk)
    assert torch.allclose(found, oracle, atol=1e-12)
    ours = torch.autograd.grad((found * wanted).sum(), (states, weight))
    theirs = torch.autograd.grad((oracle * wanted).sum(), (states, weight))
    assert all(torch.allclose(one, other, atol=1e-12) for one, other in zip(ours, theirs, strict=True))


def test_half_precision_sums_in_full() -> None:
    generator = torch.Generator().manual_seed(0)
    states, weight = torch.randn(50, 16, generator=generator).bfloat16(), torch.randn(500, 16, generator=generator).bfloat16()
    targets = torch.randint(0, 500, (50,), generator=generator)
    found = token_log_likelihood(states.requires_grad_(), weight.requires_grad_(), targets, 7)
    exact = -functional.cross_entropy((states @ weight.T).float(), targets, reduction="none")
    assert found.dtype == torch.float32
    assert torch.allclose(found, exact, atol=1e-5)
    found.sum().backward()
    assert states.grad is not None
    assert states.grad.dtype == weight.grad.dtype == torch.bfloat16  # type: ignore[union-attr]


def test_a_frozen_output_layer_gets_no_gradient() -> None:
    states, weight = torch.randn(4, 3, requires_grad=True), torch.randn(5, 3)
    token_log_likelihood(states, weight, torch.tensor([0, 1, 2, 3])).sum().backward()
    assert states.grad is not None
    assert weight.grad is None


_MEASURED = """
import re, sys, torch
from ray_pipeline.models.policy.likelihood import token_log_likelihood
torch.set_num_threads(1)
states, weight = torch.randn(4096, 64, requires_grad=True), torch.randn(16000, 64, requires_grad=True)
targets = torch.randint(0, 16000, (4096,))
def peak():  # of this program alone: ru_maxrss begins with that of the one that started it
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
if sys.argv[1] == "chunks":
    token_log_likelihood(states, weight, targets, 256).sum().backward()
else:
    torch.nn.functional.cross_entropy(states @ weight.T, targets, reduction="sum").backward()
print(peak() - before)
"""


def test_the_peak_does_not_grow_with_the_tokens() -> None:
    """262 MB of logits, and as much again for their gradient, against 16."""
    grown = {
        how: int(subprocess.run([sys.executable, "-c", _MEASURED, how], cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for how in ("chunks", "whole")
    }
    assert grown["chunks"] < 0.3 * grown["whole"]


def test_an_id_beyond_the_vocabulary_is_an_error() -> None:
    with pytest.raises((RuntimeError, IndexError)):
        token_log_likelihood(torch.randn(1, 2), torch.randn(3, 2), torch.tensor([3]))
