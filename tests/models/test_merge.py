"""A merged model is the trained one, and a merge that is not is refused with the number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ray_pipeline.errors import ModelError
from ray_pipeline.models import merge as merging
from ray_pipeline.models.adaptation import Adaptation, FullTuning, Lora, QLora
from ray_pipeline.models.adapter_files import save_adapter
from ray_pipeline.models.adapters import is_adapted, trainable_embedder
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.merge import TOLERANCE, check_merged, merge, merge_adapter
from ray_pipeline.models.trained_weights import parameter_tensors, trained
from tests.models.training import settings_of, train, vectors


def trained_model(folder: Path, adaptation: Adaptation, precision: Any = "fp32", **given: Any) -> Embedder:
    embedder = trainable_embedder(settings_of(folder, **{"pooling": "mean", **given}), adaptation, "cpu", precision)
    train(embedder)
    return embedder


def test_merging_adds_the_product_of_the_factors(tiny_qwen: Path) -> None:
    """W + (6 / 2) B A, on every layer that has an adapter; all else as in the base."""
    embedder = trained_model(tiny_qwen, Lora(rank=2, alpha=6, dropout=0.0, targets=("q_proj",)))
    merged = dict(merge(embedder).backbone.named_parameters())
    state = parameter_tensors(trained(embedder))
    for name, weight in Embedder(settings_of(tiny_qwen, pooling="mean")).backbone.named_parameters():
        if "q_proj" in name:
            inside = f"backbone.base_model.model.{name.removesuffix('.weight')}"
            weight = weight + 3.0 * state[f"{inside}.lora_B.default.weight"] @ state[f"{inside}.lora_A.default.weight"]
            assert float((merged[name] - weight).detach().abs().max()) < 1e-6
        else:
            assert torch.equal(merged[name], weight), name


@pytest.mark.parametrize("base", ["encoder", "decoder"])
@pytest.mark.parametrize("adaptation", [Lora(), Lora(train_embed_tokens=True)], ids=["lora", "tokens"])
def test_merged_vectors_are_the_trained_ones(tiny_model: Path, tiny_qwen: Path, base: str, adaptation: Adaptation) -> None:
    folder = tiny_model if base == "encoder" else tiny_qwen
    embedder = trained_model(folder, adaptation, projection=8)
    before, state = vectors(embedder), parameter_tensors(trained(embedder))
    merged = merge(embedder)
    assert not is_adapted(merged) and not any(parameter.requires_grad for parameter in merged.parameters())
    np.testing.assert_allclose(vectors(merged), before, atol=1e-5)
    assert embedder.training and is_adapted(embedder)  # left as it was
    assert all(torch.equal(state[name], value) for name, value in parameter_tensors(trained(embedder)).items())
    assert np.abs(vectors(Embedder(settings_of(folder, pooling="mean", projection=8))) - before).max() > 1e-2


@pytest.mark.parametrize("compute", ["bf16", "fp32"])
def test_four_bits_are_turned_back_first(tiny_qwen: Path, compute: Any) -> None:
    embedder = trained_model(tiny_qwen, QLora(compute_dtype=compute), projection=8)
    merged = merge(embedder)
    assert {parameter.dtype for parameter in merged.parameters()} == {torch.float32}
    assert not getattr(merged.backbone.config, "quantization_config", None)
    np.testing.assert_allclose(vectors(merged), vectors(embedder), atol=5e-2 if compute == "bf16" else 1e-5)
    # over the unquantised base the same adapter is another model
    plain = trainable_embedder(settings_of(tiny_qwen, pooling="mean", projection=8), Lora())
    plain.load_state_dict(parameter_tensors(trained(embedder)), strict=False)
    assert np.abs(vectors(plain) - vectors(merged)).max() > 1e-2


def test_half_precision_is_merged_in_full(tiny_qwen: Path) -> None:
    embedder = trained_model(tiny_qwen, Lora(), "bf16")
    merged = merge(embedder)
    assert {parameter.dtype for parameter in merged.parameters()} == {torch.float32}
    np.testing.assert_allclose(vectors(merged), vectors(embedder), atol=5e-2)


def test_from_a_folder(tiny_qwen: Path, tmp_path: Path) -> None:
    embedder = trained_model(tiny_qwen, Lora(), projection=8)
    save_adapter(embedder, tmp_path / "adapter")
    np.testing.assert_allclose(vectors(merge_adapter(tmp_path / "adapter")), vectors(embedder), atol=1e-5)


def test_there_must_be_something_to_merge(tiny_qwen: Path) -> None:
    with pytest.raises(ModelError, match="there is no adapter to merge"):
        merge(trained_model(tiny_qwen, FullTuning()))


# the check


@pytest.mark.parametrize("adaptation", [Lora(), QLora()], ids=["lora", "qlora"])
def test_a_merge_that_goes_wrong_is_caught(tiny_qwen: Path, monkeypatch: pytest.MonkeyPatch, adaptation: Adaptation) -> None:
    from peft import PeftModel

    embedder = trained_model(tiny_qwen, adaptation)
    real = PeftModel.__getattr__

    def spoiled(model: Any, name: str) -> Any:
        found = real(model, name)
        if name != "merge_and_unload":
            return found

        def merge_and_spoil() -> Any:
            merged = found()
            with torch.no_grad():
                merged.layers[1].mlp.down_proj.weight[0, 0] += 0.5
            return merged

        return merge_and_spoil

    monkeypatch.setattr(PeftModel, "__getattr__", spoiled)
    with pytest.raises(ModelError, match=r"up to 0\.\d+ away from what the model says before merging, in fp32; 0\.0001 is allowed"):
        merge(embedder)


def test_weights_that_are_not_the_trained_ones_are_caught(tiny_qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The merge is sound, but of another adapter: only the comparison with the trained model can tell."""
    embedder = trained_model(tiny_qwen, Lora())
    monkeypatch.setattr(merging, "load_parameters", lambda *arguments: None)
    with pytest.raises(ModelError, match=r"away from what the model says as trained, in fp32"):
        merge(embedder)


def test_the_check_by_hand() -> None:
    one = np.array([[1.0, 0.0], [0.0, 1.0]])
    moved = one + np.array([[0.0, 0.0], [3e-5, 4e-5]])  # 5e-5 away
    check_merged(one, moved, 5.1e-5, "x")
    with pytest.raises(ModelError, match="up to 5e-05 away from what the model says x; 4.9e-05 is allowed"):
        check_merged(one, moved, 4.9e-5, "x")
    with pytest.raises(ModelError, match="up to nan away"):
        check_merged(one, one * np.nan, 1.0, "x")
    assert TOLERANCE == {"fp32": 1e-4, "fp16": 1e-2, "bf16": 1e-1}
