"""Attention in batched products: equal to attention written out, within half precision; torch's kernel where that is faster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from transformers import GPTNeoConfig, GPTNeoModel

from ray_pipeline.errors import ModelError
from ray_pipeline.models.batched_products import LONGEST, NAME, attend
from ray_pipeline.models.embedder import Embedder
from tests.models.training import settings_of

BF16 = 2.0**-8  # how far a rounded number may be from itself, relative


def written_out(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V in fp64, head by head."""
    query, key, value = (one.double() for one in (query, key, value))
    found = torch.zeros(query.shape[0], query.shape[2], query.shape[1], value.shape[3], dtype=torch.float64)
    for row in range(query.shape[0]):
        for head in range(query.shape[1]):
            of = head * key.shape[1] // query.shape[1]
            scores = query[row, head] @ key[row, of].T / query.shape[3] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask[row, 0], -torch.inf)
            found[row, :, head] = scores.softmax(-1) @ value[row, of]
    return found


def drawn(seed: int, rows: int, heads: int, groups: int, length: int, size: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(rows, heads, length, size), (rows, heads // groups, length, size), (rows, heads // groups, length, size)]
    query, key, value = (torch.randn(shape, generator=generator).bfloat16() for shape in shapes)
    return query, key, value


def test_by_hand() -> None:
    """Two tokens, one of them masked for the first: it sees itself alone, the second averages where scores are equal."""
    query, key = torch.zeros(1, 1, 2, 4, dtype=torch.bfloat16), torch.ones(1, 1, 2, 4, dtype=torch.bfloat16)
    value = torch.tensor([[[[2.0], [4.0]]]], dtype=torch.bfloat16)
    mask = torch.tensor([[[[True, False], [True, True]]]])
    assert attend(nn.Module(), query, key, value, mask)[0].flatten().tolist() == [2.0, 3.0]


@given(
    seed=st.integers(0, 999),
    rows=st.integers(1, 3),
    heads=st.sampled_from([(2, 1), (4, 2), (4, 4)]),
    length=st.integers(1, 12),
    causal=st.booleans(),
    padded=st.integers(0, 3),
)
def test_any_shape_and_mask(seed: int, rows: int, heads: tuple[int, int], length: int, causal: bool, padded: int) -> None:
    query, key, value = drawn(seed, rows, *heads, length)
    mask = torch.ones(rows, 1, length, length, dtype=torch.bool)
    if causal:
        mask &= torch.ones(length, length, dtype=torch.bool).tril()
    mask[0, :, :, max(1, length - padded) :] = False
    found = attend(nn.Module(), query, key, value, mask)[0]
    expected = written_out(query, key, value, mask)
    # scores, weights and states are each rounded once; a score of up to 8 moves a weight by 8 x BF16
    assert (found.double() - expected).abs().max() <= 12 * BF16 * value.double().abs().max()


@pytest.mark.parametrize("mask", [None, "padding"])
def test_gradients(mask: str | None) -> None:
    inputs = [one.requires_grad_() for one in drawn(3, 2, 4, 2, 20)]
    seen = None if mask is None else torch.ones(2, 1, 20, 20, dtype=torch.bool).masked_fill_(torch.arange(20) >= 15, False)
    toward = torch.randn(2, 20, 4, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    attend(nn.Module(), *inputs, seen)[0].backward(toward)  # type: ignore[no-untyped-call]
    exact = [one.detach().double().requires_grad_() for one in inputs]
    written_out(*exact, seen).backward(toward.double())  # type: ignore[no-untyped-call]
    for ours, theirs in zip(inputs, exact, strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert (ours.grad.double() - theirs.grad).norm() <= 0.02 * theirs.grad.norm()


def test_a_token_that_sees_nothing_gets_a_number() -> None:
    query, key, value = drawn(0, 1, 2, 1, 4)
    found = attend(nn.Module(), query, key, value, torch.zeros(1, 1, 4, 4, dtype=torch.bool))[0]
    assert torch.isfinite(found).all()


@pytest.mark.parametrize(("dtype", "length"), [(torch.float32, 5), (torch.bfloat16, LONGEST + 1)])
def test_elsewhere_it_is_torchs_own_kernel(dtype: torch.dtype, length: int) -> None:
    query, key, value = (one.to(dtype) for one in drawn(1, 2, 4, 2, length))
    mask = torch.ones(2, 1, length, length, dtype=torch.bool).tril()
    found = attend(nn.Module(), query, key, value, mask)[0]
    wide = [one.repeat_interleave(2, dim=1) for one in (key, value)]
    assert torch.equal(found, functional.scaled_dot_product_attention(query, *wide, mask).transpose(1, 2))


def test_dropout_drops_weights_while_training_alone() -> None:
    query, key = torch.zeros(1, 1, 100, 4, dtype=torch.bfloat16), torch.zeros(1, 1, 100, 4, dtype=torch.bfloat16)
    value = torch.eye(100, dtype=torch.bfloat16)[None, None]  # what comes out is the weights themselves
    module = nn.Module()
    torch.manual_seed(0)
    dropped = attend(module.train(), query, key, value, None, dropout=0.25)[0]
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert float(dropped.max()) == pytest.approx(0.01 / 0.75, rel=0.01)
    assert (attend(module.eval(), query, key, value, None, dropout=0.25)[0] > 0).all()


def test_autocast_decides_the_precision() -> None:
    """Norms between projection and attention leave fp32 queries; what counts is what autocast would compute in."""
    query, key, value = drawn(2, 2, 4, 2, 9)
    with torch.autocast("cpu", torch.bfloat16):
        found = attend(nn.Module(), query.float(), key.float(), value, None)[0]
    assert torch.equal(found, attend(nn.Module(), query, key, value, None)[0])


def test_a_cpu_takes_it_where_the_model_allows(tiny_model: Path, tmp_path: Path) -> None:
    made = {kind: Embedder(settings_of(tiny_model, attention=kind, precision="bf16")) for kind in ("auto", "sdpa")}
    assert made["auto"].backbone.config._attn_implementation == NAME
    tokens = made["auto"].tokenize(["3/4 of 20", "the wrong answer adds the negative number (7 - 12)", "area"], "document")
    ours, theirs = (one.encode(tokens, 512, 8) for one in made.values())
    assert not np.array_equal(ours, theirs)
    assert (ours * theirs).sum(axis=1).min() > 0.9999
    (tmp_path / "tokenizer.json").write_bytes((tiny_model / "tokenizer.json").read_bytes())
    GPTNeoModel(GPTNeoConfig(vocab_size=200, hidden_size=16, num_layers=1, num_heads=2, attention_types=[[["global"], 1]])).save_pretrained(tmp_path)
    assert Embedder(settings_of(tmp_path, pooling="mean")).backbone.config._attn_implementation != NAME
    with pytest.raises(ModelError, match=r"attention of a gpt_neo cannot be replaced; set model\.attention=auto"):
        Embedder(settings_of(tmp_path, pooling="mean", attention="products"))
