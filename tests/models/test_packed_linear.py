"""Packed layers give what plain ones give; heads stay as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.packed_linear import PackedLinear, packed
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.shared_prefix import shared_scores

TEXTS = ["adds the tops", "the number is negative", "a", "the cat and the dog and the bird divide"]


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 40), wide=st.integers(1, 70), narrow=st.integers(1, 70), bias=st.booleans(), seed=st.integers(0, 999))
def test_a_packed_layer_multiplies_as_the_plain_one(rows: int, wide: int, narrow: int, bias: bool, seed: int) -> None:
    torch.manual_seed(seed)
    plain, states = nn.Linear(wide, narrow, bias=bias), torch.randn(2, rows, wide)
    with torch.inference_mode():
        exact = states.double() @ plain.weight.double().T + (0 if plain.bias is None else plain.bias.double())
        for given_states in (states, states.transpose(0, 1).contiguous().transpose(0, 1)):
            assert torch.allclose(PackedLinear(plain)(given_states).double(), exact, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_embedder_answers_the_same(tiny_model: Path, precision: str) -> None:
    given_settings = EmbedderSettings(name=str(tiny_model), max_length=40, precision=precision)  # type: ignore[arg-type]  # both are precisions
    plain, fast = Embedder(given_settings), packed(Embedder(given_settings))
    assert any(isinstance(module, PackedLinear) for module in fast.modules()) or precision == "bf16"  # not every CPU multiplies in bf16
    tokens = plain.tokenize(TEXTS, "document")
    assert np.allclose(fast.encode(tokens, 64, 8), plain.encode(tokens, 64, 8), atol=1e-6 if precision == "fp32" else 1e-2)


def test_rerankers_answer_the_same_and_keep_their_heads(tiny_classifier: Path, tiny_causal: Path) -> None:
    for given_settings in (
        RerankerSettings(name=str(tiny_classifier), max_length=60, precision="fp32"),
        RerankerSettings(name=str(tiny_causal), kind="causal", max_length=80, precision="fp32"),
    ):
        plain, fast = Reranker(given_settings), packed(Reranker(given_settings))
        assert any(isinstance(module, PackedLinear) for module in fast.modules())
        assert np.allclose(fast.rank("tops", TEXTS), plain.rank("tops", TEXTS), atol=1e-5)
    pairs = plain.pair_input.encoder.encode(["tops"], TEXTS, np.zeros(len(TEXTS), dtype=np.int64))
    assert np.allclose(shared_scores(fast, pairs, 512), plain.rank("tops", TEXTS), atol=1e-5)


def test_what_is_not_repeated_and_what_an_adapter_reads_stays() -> None:
    adapter = nn.Module()
    adapter.base_layer = nn.Linear(4, 4)
    model = nn.Sequential(nn.ModuleList([nn.Linear(4, 4), adapter, nn.Linear(4, 4).half()]), nn.Linear(4, 1))
    found = [type(module).__name__ for module in packed(model).modules()]
    assert found.count("PackedLinear") == 1
    assert found.count("Linear") == 3
