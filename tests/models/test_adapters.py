"""What is trained is exactly what should be, in every kind, precision and mode; the counts are the documents'."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ray_pipeline.config import Settings, parse, section
from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.models.adaptation import Adaptation, FullTuning, Lora, QLora
from ray_pipeline.models.adapters import adapt, count_parameters, is_adapted, trainable_embedder
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.parameters import counts, parameter_kinds
from tests.models.training import IDS, MASK, backward, settings_of, train, vectors

KINDS: dict[str, Adaptation] = {
    "full": FullTuning(),
    "last layer": FullTuning(train_layers=1),
    "frozen embeddings": FullTuning(freeze_embeddings=True),
    "lora": Lora(rank=4),
    "lora and tokens": Lora(rank=4, train_embed_tokens=True),
    "qlora": QLora(rank=4),
    "qlora and tokens": QLora(rank=4, train_embed_tokens=True),
}


def trained(embedder: Embedder) -> set[str]:
    return {name for name, parameter in embedder.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("base", ["encoder", "decoder"])
def test_every_trained_parameter_gets_a_gradient(tiny_model: Path, tiny_qwen: Path, base: str, kind: str, precision: Any, autocast: bool) -> None:
    """DDP waits for the gradient of every one of them; the encoder has a pooler, which gives none."""
    folder = tiny_model if base == "encoder" else tiny_qwen
    for checkpointing in (False, True):
        settings = settings_of(folder, pooling="mean", projection=8)
        embedder = trainable_embedder(settings, KINDS[kind], "cpu", precision, gradient_checkpointing=checkpointing)
        assert embedder.training and embedder.backbone.training
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            found = embedder(IDS, MASK)
        assert found.dtype == torch.float32
        (found @ torch.linspace(-1, 1, 8)).sum().backward()
        for name, parameter in embedder.named_parameters():
            assert (parameter.grad is not None) is parameter.requires_grad, name
            if parameter.requires_grad:
                assert parameter.dtype == torch.float32, name


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_step_changes_what_is_trained_and_nothing_else(tiny_qwen: Path, kind: str) -> None:
    embedder = trainable_embedder(settings_of(tiny_qwen, pooling="mean", projection=8), KINDS[kind])
    before = {name: parameter.detach().clone() for name, parameter in embedder.named_parameters()}
    train(embedder)
    changed = {name for name, parameter in embedder.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed == trained(embedder)


def test_which_parameters_each_kind_trains(tiny_model: Path, tiny_qwen: Path) -> None:
    def of(folder: Path, kind: str) -> set[str]:
        return trained(trainable_embedder(settings_of(folder, pooling="mean", projection=8), KINDS[kind]))

    head = {"projection.0.0.weight", "projection.0.0.bias"}
    assert not any("pooler" in name for kind in KINDS for name in of(tiny_model, kind))
    full = of(tiny_model, "full")
    assert {"backbone.embeddings.word_embeddings.weight", "backbone.encoder.layer.0.output.dense.weight"} | head <= full
    assert full - of(tiny_model, "frozen embeddings") == {name for name in full if name.startswith("backbone.embeddings.")}
    assert of(tiny_model, "last layer") == {name for name in full if name.startswith("backbone.encoder.layer.1.")} | head
    last = of(tiny_qwen, "last layer")
    assert last == {name for name in of(tiny_qwen, "full") if name.startswith("backbone.layers.2.")} | {"backbone.norm.weight"} | head
    tokens = {"backbone.base_model.model.embed_tokens.modules_to_save.default.weight"}
    assert of(tiny_qwen, "lora and tokens") - of(tiny_qwen, "lora") == tokens
    assert of(tiny_qwen, "lora") == of(tiny_qwen, "qlora")
    assert all("lora_" in name for name in of(tiny_qwen, "lora") - head)


def test_kinds_of_parameters(tiny_qwen: Path, tiny_model: Path) -> None:
    kinds = parameter_kinds(trainable_embedder(settings_of(tiny_qwen, pooling="mean", projection=8), KINDS["lora and tokens"]))
    sizes = {kind: sum(1 for one in kinds.values() if one == kind) for kind in ("lora_a", "lora_b", "embed_tokens", "head", "body")}
    assert sizes == {"lora_a": 21, "lora_b": 21, "embed_tokens": 1, "head": 2, "body": 0}  # 3 layers of 7 linear maps
    full = parameter_kinds(trainable_embedder(settings_of(tiny_model), FullTuning()))
    assert [name for name, kind in full.items() if kind == "embed_tokens"] == ["backbone.embeddings.word_embeddings.weight"]
    assert set(full.values()) == {"embed_tokens", "body"}


@pytest.mark.parametrize("kind", ["lora", "lora and tokens"])
def test_a_fresh_adapter_changes_no_vector(tiny_qwen: Path, kind: str) -> None:
    plain = Embedder(settings_of(tiny_qwen, pooling="last", projection=8))
    adapted = trainable_embedder(settings_of(tiny_qwen, pooling="last", projection=8), KINDS[kind])
    np.testing.assert_array_equal(vectors(adapted), vectors(plain))
    assert is_adapted(adapted) and not is_adapted(plain)


def test_lora_is_the_formula(tiny_qwen: Path) -> None:
    """W x + (alpha / rank) B A x, on one layer, by hand."""
    embedder = trainable_embedder(settings_of(tiny_qwen, pooling="mean"), Lora(rank=2, alpha=6, dropout=0.0, targets=("q_proj",)))
    train(embedder)
    layer = embedder.backbone.base_model.model.layers[0].self_attn.q_proj
    x = torch.randn(3, 32)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert a.shape == (2, 32) and float(b.detach().abs().max()) > 0
    torch.testing.assert_close(layer(x), x @ layer.base_layer.weight.T + 3.0 * (x @ a.T) @ b.T)


def test_adapters_start_from_their_own_seed(tiny_qwen: Path) -> None:
    def first(seed: int) -> torch.Tensor:
        torch.randn(5)  # whatever was drawn before
        embedder = trainable_embedder(settings_of(tiny_qwen, pooling="mean"), Lora(), seed=seed)
        return torch.as_tensor(embedder.backbone.base_model.model.layers[0].self_attn.q_proj.lora_A["default"].weight.detach())

    assert torch.equal(first(1), first(1)) and not torch.equal(first(1), first(2))
    torch.manual_seed(3)
    state = torch.get_rng_state()
    adapt(Embedder(settings_of(tiny_qwen, pooling="mean")), Lora())
    assert torch.equal(torch.get_rng_state(), state)


def test_frozen_weights_are_held_as_asked(tiny_qwen: Path) -> None:
    def base(adaptation: Adaptation, precision: Any) -> Any:
        embedder = trainable_embedder(settings_of(tiny_qwen, pooling="mean"), adaptation, "cpu", precision)
        model = embedder.backbone.base_model.model if is_adapted(embedder) else embedder.backbone
        layer = model.layers[0].self_attn.q_proj
        return getattr(layer, "base_layer", layer).weight

    assert base(FullTuning(), "bf16").dtype == torch.float32  # autocast makes the half precision
    assert base(Lora(), "bf16").dtype == torch.bfloat16 and base(Lora(), "fp32").dtype == torch.float32
    assert base(QLora(), "bf16").dtype == torch.uint8


def test_evaluating_leaves_4_bit_weights_as_they_were(tiny_qwen: Path) -> None:
    """On CPUs with AVX512-BF16 bitsandbytes would repack them for good."""
    embedder = trainable_embedder(settings_of(tiny_qwen, pooling="mean"), QLora())
    layer = embedder.backbone.base_model.model.layers[0].mlp.down_proj.base_layer
    codes, scales = layer.weight.detach().clone(), layer.weight.quant_state.absmax.clone()
    vectors(embedder)
    assert torch.equal(layer.weight, codes) and torch.equal(layer.weight.quant_state.absmax, scales)
    assert not layer.support_avx512bf16_for_cpu
    backward(embedder)


def test_4_bit_without_bitsandbytes_says_what_to_install(tiny_qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "bitsandbytes" else real(name, *rest))
    with pytest.raises(ModelError, match=r"needs bitsandbytes, which is not installed \(`pip install bitsandbytes==0\.50\.2`\)"):
        trainable_embedder(settings_of(tiny_qwen, pooling="mean"), QLora())


# counts


def test_the_theorem_run_trains_exactly_what_its_document_says(tmp_path: Path) -> None:
    """Qwen2.5-Math-7B, without a weight: r=8 on q, k, v, o and a head 3584 -> 2048.

    q and o: 8 x (3584 + 3584) = 57,344 each; k and v: 8 x (3584 + 512) = 32,768 each; 180,224 a layer, 28 layers: 5,046,272.
    Head: 3584 x 2048 + 2048 = 7,342,080.
    """
    shape = {"hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2", "vocab_size": 152064, **shape}))
    settings = settings_of(tmp_path, pooling="last", projection=2048)
    for kind in (Lora, QLora):
        found = count_parameters(settings, kind(rank=8, alpha=16, targets=("q_proj", "k_proj", "v_proj", "o_proj")))
        assert found.by_kind["lora_a"] + found.by_kind["lora_b"] == 5_046_272
        assert found.by_kind["head"] == 7_342_080
        assert found.trainable == 12_388_352
    assert found.total == 7_070_619_136 + 12_388_352
    tokens = count_parameters(settings, Lora(rank=8, targets=("q_proj",), train_embed_tokens=True))
    assert tokens.by_kind["embed_tokens"] == 152_064 * 3584


@pytest.mark.parametrize("kind", ["full", "last layer", "frozen embeddings", "lora", "lora and tokens"])
def test_counts_without_weights_are_those_of_the_model(tiny_model: Path, tiny_qwen: Path, kind: str) -> None:
    for folder in (tiny_model, tiny_qwen):
        settings = settings_of(folder, pooling="mean", projection=8, layers=2)
        assert count_parameters(settings, KINDS[kind]) == counts(trainable_embedder(settings, KINDS[kind]))


# refusals


def test_a_target_that_no_layer_is_called_by_is_named(tiny_qwen: Path) -> None:
    with pytest.raises(ModelError, match=r"no linear layer is called 'q_porj'; there are down_proj, gate_proj, k_proj"):
        trainable_embedder(settings_of(tiny_qwen, pooling="mean"), Lora(targets=("v_proj", "q_porj")))


def test_more_layers_than_there_are_cannot_be_trained(tiny_qwen: Path) -> None:
    with pytest.raises(ModelError, match="train_layers=4, but the model has 3 layers"):
        trainable_embedder(settings_of(tiny_qwen, pooling="mean"), FullTuning(train_layers=4))


def test_a_model_without_a_list_of_layers_cannot_freeze_some(tmp_path: Path) -> None:
    from transformers import AlbertConfig, AlbertModel

    from tests.models.conftest import save_tokenizer

    shape = {"hidden_size": 32, "embedding_size": 16, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    AlbertModel(AlbertConfig(vocab_size=20, **shape)).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, "[CLS] $A [SEP]")
    trainable_embedder(settings_of(tmp_path, pooling="mean"), FullTuning())
    with pytest.raises(ModelError, match="a albert keeps no list of 2 layers"):
        trainable_embedder(settings_of(tmp_path, pooling="mean"), FullTuning(train_layers=1))


class Holder(Settings):
    adaptation: Adaptation = section(FullTuning(), "what is trained")


def test_adaptations_as_settings() -> None:
    def read(values: dict[str, Any]) -> Adaptation:
        return parse(Holder, {"adaptation": values}).adaptation

    assert read({}) == FullTuning()
    assert read({"kind": "lora", "rank": 4, "targets": ["q_proj"]}) == Lora(rank=4, targets=("q_proj",))
    four_bit = read({"kind": "qlora"})
    assert isinstance(four_bit, QLora) and (four_bit.quant_type, four_bit.double_quant, four_bit.compute_dtype) == ("nf4", True, "bf16")
    for wrong in ({"kind": "lora", "quant_type": "nf4"}, {"kind": "lora", "rank": 0}, {"kind": "lora", "dropout": 1.0}, {"kind": "full", "rank": 4}):
        with pytest.raises(SettingsError):
            read(wrong)
