"""`attention_dropout` and `dropout` reach the model, under whatever names its configuration has for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ray_pipeline.errors import ModelError
from ray_pipeline.models.adaptation import FullTuning
from ray_pipeline.models.adapters import trainable_embedder
from ray_pipeline.models.embedder import Embedder
from tests.models.conftest import save_tokenizer
from tests.models.training import settings_of

IDS = torch.tensor([[1, 2, 3, 4, 5, 6]])


def saved(folder: Path, kind: str) -> Path:
    """A tiny model without any dropout of its own; an MPT has no name for it that a setting could reach."""
    from transformers import BertConfig, BertModel, LlamaConfig, LlamaModel, MptConfig, MptModel

    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 20}
    torch.manual_seed(0)
    if kind == "bert":
        none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        BertModel(BertConfig(**shape, max_position_embeddings=64, **none), add_pooling_layer=False).save_pretrained(folder)
    elif kind == "llama":
        LlamaModel(LlamaConfig(**shape, num_key_value_heads=2, max_position_embeddings=64)).save_pretrained(folder)
    else:
        MptModel(MptConfig(vocab_size=20, d_model=32, n_layers=1, n_heads=2)).save_pretrained(folder)
    save_tokenizer(folder, None)
    return folder


def vectors(folder: Path, rates: dict[str, float], *, training: bool) -> torch.Tensor:
    embedder = trainable_embedder(settings_of(folder, pooling="mean", **rates), FullTuning())
    torch.manual_seed(0)
    with torch.no_grad():
        out: torch.Tensor = embedder.train(training)(IDS, torch.ones_like(IDS))
    return out


@pytest.mark.parametrize(("kind", "setting"), [("bert", "attention_dropout"), ("llama", "attention_dropout"), ("bert", "dropout")])
def test_it_is_felt_while_training_and_only_then(tmp_path: Path, kind: str, setting: str) -> None:
    folder = saved(tmp_path, kind)
    as_it_is = vectors(folder, {}, training=True)
    torch.testing.assert_close(vectors(folder, {setting: 0.0}, training=True), as_it_is)
    assert not torch.allclose(vectors(folder, {setting: 0.5}, training=True), as_it_is, atol=1e-3)
    torch.testing.assert_close(vectors(folder, {setting: 0.5}, training=False), as_it_is)


def test_a_trained_model_keeps_it(tmp_path: Path) -> None:
    first = Embedder(settings_of(saved(tmp_path / "first", "bert"), pooling="mean", attention_dropout=0.5))
    first.backbone.save_pretrained(tmp_path / "second")
    save_tokenizer(tmp_path / "second", None)
    second = Embedder(settings_of(tmp_path / "second", pooling="mean"))
    assert second.backbone.config.attention_probs_dropout_prob == 0.5


@pytest.mark.parametrize(("kind", "setting"), [("mpt", "attention_dropout"), ("llama", "dropout")])
def test_a_model_that_has_no_such_thing_refuses_it(tmp_path: Path, kind: str, setting: str) -> None:
    with pytest.raises(ModelError, match=f"{setting} is given, but a {kind} has none of "):
        Embedder(settings_of(saved(tmp_path, kind), pooling="mean", **{setting: 0.1}))
