"""Adapters on disk: peft's layout, the right base, nothing half-loaded and nothing half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ray_pipeline.errors import ModelError
from ray_pipeline.models import adapter_files
from ray_pipeline.models.adaptation import Adaptation, FullTuning, Lora, QLora
from ray_pipeline.models.adapter_files import load_adapter, open_adapter, save_adapter
from ray_pipeline.models.adapters import is_adapted, trainable_embedder
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.record import RECORD
from tests.models.training import settings_of, train, vectors

Copied = Callable[[Path], Path]
LORA = Lora(rank=4, dropout=0.0, train_embed_tokens=True)
HEADED: dict[str, Any] = {"pooling": "last", "terminal_token": "<eos>", "projection": 12, "prompt": {"kind": "e5"}}


def trained(folder: Path, adaptation: Adaptation = LORA, precision: Any = "fp32", **given: Any) -> Embedder:
    embedder = trainable_embedder(settings_of(folder, **(given or HEADED)), adaptation, "cpu", precision)
    train(embedder)
    return embedder


@pytest.fixture
def saved(tiny_qwen: Path, tmp_path: Path) -> Path:
    save_adapter(trained(tiny_qwen), tmp_path / "adapter", {"epoch": 3})
    return tmp_path / "adapter"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("adaptation", [Lora(rank=4), LORA, QLora(rank=4)], ids=["lora", "tokens", "qlora"])
def test_an_adapter_opened_gives_the_vectors_it_was_saved_with(tiny_qwen: Path, tmp_path: Path, adaptation: Adaptation, precision: Any) -> None:
    embedder = trained(tiny_qwen, adaptation, precision)
    save_adapter(embedder, tmp_path / "adapter")
    opened = open_adapter(tmp_path / "adapter")
    for side in ("query", "document"):
        np.testing.assert_array_equal(vectors(opened, side), vectors(embedder, side))  # type: ignore[arg-type]
    assert opened.weights == embedder.weights


def test_it_may_be_trained_on(saved: Path) -> None:
    opened = open_adapter(saved)
    before = vectors(opened)
    opened.train()
    train(opened)
    assert not np.array_equal(vectors(opened), before)


def test_peft_reads_it_with_the_same_states(tiny_qwen: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModel

    embedder = trained(tiny_qwen)
    save_adapter(embedder, tmp_path / "adapter")
    peft = PeftModel.from_pretrained(AutoModel.from_pretrained(tiny_qwen, dtype=torch.float32), str(tmp_path / "adapter")).eval()
    ids = torch.tensor([[7, 8, 9]])
    embedder.eval()
    with torch.inference_mode():
        torch.testing.assert_close(peft(input_ids=ids).last_hidden_state, embedder.backbone(input_ids=ids).last_hidden_state)


def test_an_adapter_that_peft_wrote_is_read(tiny_qwen: Path, tmp_path: Path) -> None:
    embedder = trained(tiny_qwen, Lora(rank=4), pooling="mean")
    embedder.backbone.save_pretrained(str(tmp_path), save_embedding_layers=False)
    base = Embedder(settings_of(tiny_qwen, pooling="mean"))
    load_adapter(base, tmp_path)
    np.testing.assert_array_equal(vectors(base), vectors(embedder))
    with pytest.raises(ModelError, match=rf"no {RECORD} says which base"):
        open_adapter(tmp_path)


def test_what_lies_in_the_folder(saved: Path, tiny_qwen: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["adapter_config.json", "adapter_model.safetensors", "head.safetensors", RECORD]
    names = list(load_file(saved / "adapter_model.safetensors"))
    assert len(names) == 3 * 7 * 2 + 1 and "base_model.model.embed_tokens.weight" in names
    assert "base_model.model.layers.0.mlp.up_proj.lora_A.weight" in names
    config = json.loads((saved / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (4, 16, str(tiny_qwen))
    assert config["target_modules"] == sorted(config["target_modules"])
    record = json.loads((saved / RECORD).read_text())
    assert record["training"] == {"epoch": 3} and len(record["base"]["fingerprint"]) == 64


def test_the_same_adapter_is_the_same_bytes(saved: Path, tiny_qwen: Path, tmp_path: Path) -> None:
    save_adapter(trained(tiny_qwen), tmp_path / "again", {"epoch": 3})
    for file in saved.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes(), file.name


# refusals


def test_another_base_of_the_same_shape_is_refused_by_its_fingerprint(saved: Path, tiny_qwen: Path, copied: Copied) -> None:
    other = copied(tiny_qwen)
    weights = load_file(other / "model.safetensors")
    weights["norm.weight"] += 0.01
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    base = Embedder(settings_of(other, **HEADED))
    before = vectors(base)
    with pytest.raises(ModelError, match=r"was trained on '.*tiny_qwen.*' \([0-9a-f]{12}\), this base is '.*copy' \([0-9a-f]{12}\)"):
        load_adapter(base, saved)
    np.testing.assert_array_equal(vectors(base), before)
    with pytest.raises(ModelError, match="give the base it was trained on"):
        open_adapter(saved, base=str(other))


def test_a_base_that_has_moved_is_the_same_base(saved: Path, tiny_qwen: Path, copied: Copied) -> None:
    np.testing.assert_array_equal(vectors(open_adapter(saved, base=str(copied(tiny_qwen)))), vectors(open_adapter(saved)))


def other_qwen(folder: Path, **shape: int) -> Path:
    from transformers import Qwen3Config, Qwen3Model

    usual = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    Qwen3Model(Qwen3Config(**{"vocab_size": 20, "max_position_embeddings": 64, **usual, **shape})).save_pretrained(folder)
    from tests.models.conftest import save_tokenizer

    save_tokenizer(folder, None)
    return folder


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"vocab_size": 24}, "it has 20 token embeddings, the base a vocabulary of 24"),
        ({"intermediate_size": 64}, r"tensors have another shape \(.*mlp.* is \[4, 48\], here \[4, 64\]"),
        ({"num_hidden_layers": 2}, "tensors that are not trained here"),
    ],
)
def test_without_a_record_shapes_tell_another_base(saved: Path, tmp_path: Path, shape: dict[str, int], said: str) -> None:
    (saved / RECORD).unlink()
    base = Embedder(settings_of(other_qwen(tmp_path / "other", **shape), **HEADED))
    before = vectors(base)
    with pytest.raises(ModelError, match=said):
        load_adapter(base, saved)
    assert not is_adapted(base)
    np.testing.assert_array_equal(vectors(base), before)


def test_another_kind_of_base_is_refused(saved: Path, tiny_bert: Path) -> None:
    (saved / RECORD).unlink()
    with pytest.raises(ModelError, match="the adapter is not for"):
        load_adapter(Embedder(settings_of(tiny_bert, pooling="cls", projection=12)), saved)


@pytest.mark.parametrize(
    ("projection", "said"),
    [(None, "the adapter ends in 12 dimensions, this model in 32; set model.projection"), (8, "ends in 12 dimensions, this model in 8")],
)
def test_another_head_is_refused(saved: Path, tiny_qwen: Path, projection: int | None, said: str) -> None:
    base = Embedder(settings_of(tiny_qwen, **{**HEADED, "projection": projection}))
    with pytest.raises(ModelError, match=said):
        load_adapter(base, saved)
    assert not is_adapted(base)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "head.safetensors", "adapter_config.json", RECORD])
def test_a_damaged_file_is_named(saved: Path, name: str) -> None:
    (saved / name).write_bytes((saved / name).read_bytes()[:-20])
    with pytest.raises(ModelError, match=f"{name}: .*damaged"):
        open_adapter(saved)


@pytest.mark.parametrize(("name", "said"), [("adapter_model.safetensors", "missing"), ("adapter_config.json", "holds no adapter")])
def test_a_missing_file_is_named(saved: Path, name: str, said: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ModelError, match=said):
        open_adapter(saved)


def test_other_methods_are_refused(saved: Path) -> None:
    config = json.loads((saved / "adapter_config.json").read_text())
    (saved / "adapter_config.json").write_text(json.dumps({**config, "peft_type": "IA3"}))
    with pytest.raises(ModelError, match="peft_type is 'IA3'; LORA is what can be loaded"):
        open_adapter(saved)


def test_a_second_adapter_is_refused(saved: Path) -> None:
    opened = open_adapter(saved)
    with pytest.raises(ModelError, match="carries an adapter already"):
        load_adapter(opened, saved)


def test_a_model_trained_whole_has_no_adapter(tiny_qwen: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="was trained whole and has no adapter; export it"):
        save_adapter(trained(tiny_qwen, FullTuning()), tmp_path / "adapter")


def test_nothing_is_overwritten_and_nothing_half_written(saved: Path, tiny_qwen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = trained(tiny_qwen)
    with pytest.raises(ModelError, match="there is something already"):
        save_adapter(embedder, saved)
    (tmp_path / "empty").mkdir()
    save_adapter(embedder, tmp_path / "empty")  # an empty folder is as good as none

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(adapter_files, "base_record", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ModelError, match=r"/new: cannot be written \(.*No space left.*make room"):
        save_adapter(embedder, tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == before
