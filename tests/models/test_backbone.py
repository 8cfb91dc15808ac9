"""Decoders that read both ways: every token sees every other one, padding excepted, in each attention implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ray_pipeline.errors import ModelError
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.reading_direction import sees_ahead
from tests.models.conftest import save_tokenizer
from tests.models.training import settings_of

SHAPE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 20}


@pytest.fixture(scope="module")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from transformers import LlamaConfig, LlamaModel, MistralConfig, MistralModel, Qwen2Config, Qwen2Model, Qwen3Config, Qwen3Model

    made = {}
    kinds: dict[str, tuple[Any, Any]] = {
        "llama": (LlamaModel, LlamaConfig),
        "mistral": (MistralModel, MistralConfig),
        "qwen2": (Qwen2Model, Qwen2Config),
        "qwen3": (Qwen3Model, Qwen3Config),
    }
    for kind, (model, config) in kinds.items():
        made[kind] = tmp_path_factory.mktemp(kind)
        torch.manual_seed(0)
        model(config(**SHAPE, max_position_embeddings=64)).save_pretrained(made[kind])
        save_tokenizer(made[kind], None)
    return made


def states(embedder: Embedder, ids: list[list[int]], mask: list[list[int]]) -> torch.Tensor:
    with torch.inference_mode():
        return torch.as_tensor(embedder.backbone(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).last_hidden_state)


@pytest.mark.parametrize("attention", ["sdpa", "eager", "products"])
@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3"])
def test_the_last_token_moves_the_first_state_only_when_reading_both_ways(decoders: dict[str, Path], kind: str, attention: str) -> None:
    for bidirectional in (None, False, True):
        embedder = Embedder(settings_of(decoders[kind], pooling="mean", attention=attention, bidirectional=bidirectional))
        one, other = states(embedder, [[7, 8, 9]], [[1, 1, 1]])[0, 0], states(embedder, [[7, 8, 10]], [[1, 1, 1]])[0, 0]
        assert bool((one - other).abs().max() > 1e-4) is bool(bidirectional)
        assert sees_ahead(embedder.backbone) is bool(bidirectional)


@pytest.mark.parametrize("attention", ["sdpa", "eager", "products"])
@pytest.mark.parametrize("kind", ["mistral", "qwen3"])
def test_padding_on_either_side_is_not_seen(decoders: dict[str, Path], kind: str, attention: str) -> None:
    embedder = Embedder(settings_of(decoders[kind], pooling="mean", attention=attention, bidirectional=True))
    alone = states(embedder, [[7, 8, 9]], [[1, 1, 1]])[0]
    both = states(embedder, [[7, 8, 9, 0, 0], [5, 6, 7, 8, 9]], [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    torch.testing.assert_close(both[0, :3], alone, atol=1e-5, rtol=0)
    left = states(embedder, [[0, 0, 7, 8, 9]], [[0, 0, 1, 1, 1]])[0, 2:]
    torch.testing.assert_close(left, alone, atol=1e-5, rtol=0)


def test_reading_both_ways_survives_gradient_checkpointing(decoders: dict[str, Path]) -> None:
    from ray_pipeline.models.adaptation import FullTuning
    from ray_pipeline.models.adapters import trainable_embedder
    from tests.models.training import backward

    found = []
    for checkpointing in (False, True):
        settings = settings_of(decoders["qwen3"], pooling="last", bidirectional=True)
        embedder = trainable_embedder(settings, FullTuning(), gradient_checkpointing=checkpointing)
        assert embedder.backbone.is_gradient_checkpointing is checkpointing
        backward(embedder)
        found.append({name: parameter.grad for name, parameter in embedder.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, msg=name)


def test_an_encoder_is_refused_either_way(tiny_bert: Path) -> None:
    with pytest.raises(ModelError, match="a bert reads both ways as it is"):
        Embedder(settings_of(tiny_bert, pooling="mean", bidirectional=True))
    with pytest.raises(ModelError, match="bidirectional=false, but this model reads both ways"):
        Embedder(settings_of(tiny_bert, pooling="mean", bidirectional=False))


@pytest.mark.parametrize("kind", ["gpt_neo", "mpt"])
def test_a_kind_that_ignores_the_switch_or_fails_on_it_is_refused(tmp_path: Path, kind: str) -> None:
    from transformers import GPTNeoConfig, GPTNeoModel, MptConfig, MptModel

    if kind == "gpt_neo":
        few = {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "max_position_embeddings": 32}
        GPTNeoModel(GPTNeoConfig(vocab_size=20, attention_types=[[["global"], 1]], **few)).save_pretrained(tmp_path)
    else:
        MptModel(MptConfig(vocab_size=20, d_model=32, n_layers=1, n_heads=2)).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, None)
    assert not sees_ahead(Embedder(settings_of(tmp_path, pooling="mean")).backbone)
    with pytest.raises(ModelError, match=f"a {kind} cannot be made to read both ways"):
        Embedder(settings_of(tmp_path, pooling="mean", bidirectional=True))


def test_a_pooler_that_the_weights_lack_is_not_made_up(tiny_bert: Path, tiny_model: Path) -> None:
    assert Embedder(settings_of(tiny_bert, pooling="mean")).backbone.pooler is None
    assert Embedder(settings_of(tiny_model)).backbone.pooler is not None
