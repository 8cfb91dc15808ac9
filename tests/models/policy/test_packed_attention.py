"""Attention of conversations in one row: the same as under a mask over the whole row."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from ray_pipeline.errors import ModelError
from ray_pipeline.models.policy.packed_attention import attend


def mask(lengths: list[int], window: int | None = None) -> Tensor:
    """Which token sees which, by definition."""
    owner = [row for row, length in enumerate(lengths) for _ in range(length)]
    total = len(owner)
    seen = torch.zeros(total, total, dtype=torch.bool)
    for token in range(total):
        for other in range(token + 1):
            seen[token, other] = owner[token] == owner[other] and (window is None or token - other < window)
    return seen


def drawn(total: int, heads: int, key_heads: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(total)
    return [torch.randn(1, count, total, 8, generator=generator).to(dtype).requires_grad_() for count in (heads, key_heads, key_heads)]


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5), heads=st.sampled_from([(4, 4), (4, 2), (3, 1)]), window=st.sampled_from([None, 3])
)
def test_it_is_the_masked_row_with_its_gradients(lengths: list[int], heads: tuple[int, int], window: int | None) -> None:
    query, key, value = drawn(sum(lengths), *heads, torch.float64)
    wide, tall = (one.repeat_interleave(heads[0] // heads[1], dim=1) for one in (key, value))
    expected = functional.scaled_dot_product_attention(query, wide, tall, mask(lengths, window), scale=0.3).transpose(1, 2)
    found, _ = attend(nn.Identity(), query, key, value, None, scaling=0.3, sliding_window=window, segments=lengths)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours = torch.autograd.grad((found * weights).sum(), (query, key, value))
    theirs = torch.autograd.grad((expected * weights).sum(), (query, key, value))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def mask_of_heads(lengths: list[int], heads: list[int], window: int | None) -> Tensor:
    """The same where segments continue others: what a token stands behind is its segment's head, then its own segment."""
    starts = [sum(lengths[:place]) for place in range(len(lengths))]
    total = sum(lengths)
    seen = torch.zeros(total, total, dtype=torch.bool)
    for place, (length, head) in enumerate(zip(lengths, heads, strict=True)):
        before = [] if head == place else list(range(starts[head], starts[head] + lengths[head]))
        own = list(range(starts[place], starts[place] + length))
        for at, token in enumerate(own):
            line = [*before, *own[: at + 1]]
            seen[token, line if window is None else line[-window:]] = True
    return seen


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.tuples(st.integers(1, 6), st.lists(st.integers(1, 5), max_size=3)), min_size=1, max_size=3), window=st.sampled_from([None, 3])
)
def test_segments_that_continue_others_are_the_masked_row_with_its_gradients(shape: list[tuple[int, list[int]]], window: int | None) -> None:
    lengths: list[int] = []
    heads: list[int] = []
    for head, continued in shape:
        heads += [len(lengths)] * (1 + len(continued))
        lengths += [head, *continued]
    query, key, value = drawn(sum(lengths), 4, 2, torch.float64)
    wide, tall = (one.repeat_interleave(2, dim=1) for one in (key, value))
    expected = functional.scaled_dot_product_attention(query, wide, tall, mask_of_heads(lengths, heads, window), scale=0.3).transpose(1, 2)
    found, _ = attend(nn.Identity(), query, key, value, None, scaling=0.3, sliding_window=window, segments=lengths, heads=heads)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours = torch.autograd.grad((found * weights).sum(), (query, key, value))
    theirs = torch.autograd.grad((expected * weights).sum(), (query, key, value))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_in_half_precision_on_a_cpu() -> None:
    """Where two products stand in for torch's kernel."""
    lengths = [5, 1, 7]
    query, key, value = drawn(13, 4, 2, torch.bfloat16)
    wide, tall = (one.float().repeat_interleave(2, dim=1) for one in (key, value))
    expected = functional.scaled_dot_product_attention(query.float(), wide, tall, mask(lengths)).transpose(1, 2)
    found, _ = attend(nn.Identity(), query, key, value, None, segments=lengths)
    torch.testing.assert_close(found.float(), expected, atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize("given", [{}, {"segments": [4], "softcap": 50.0}])
def test_a_model_that_attends_in_its_own_way_is_refused(given: dict[str, object]) -> None:
    query, key, value = drawn(4, 2, 2, torch.float32)
    with pytest.raises(ModelError, match=r"set micro\.packing=false"):
        attend(nn.Identity(), query, key, value, None, **given)  # type: ignore[arg-type]
