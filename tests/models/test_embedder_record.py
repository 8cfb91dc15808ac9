"""What a model was trained with is what it is used with; whatever contradicts it is refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ray_pipeline.config import identity_of, parse
from ray_pipeline.errors import ModelError
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_record import as_trained, prompt_of, trained_settings
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.record import RECORD
from ray_pipeline.models.text_input import text_input
from tests.models.training import settings_of, vectors

Copied = Callable[[Path], Path]
E5 = {"kind": "e5"}


def plain(**given: Any) -> EmbedderSettings:
    return parse(EmbedderSettings, {"name": "x", **given})


@pytest.fixture
def trained(tiny_qwen: Path, copied: Copied) -> Path:
    folder = copied(tiny_qwen)
    values = {
        "prompt": E5,
        "pooling": "last",
        "normalize": True,
        "max_length": 24,
        "terminal_token": "<eos>",
        "bidirectional": True,
        "projection": 12,
    }
    (folder / RECORD).write_text(json.dumps({"format": 1, "trained_with": values, "base": {}, "training": {}}))
    return folder


def test_without_a_record_nothing_is_assumed(tiny_qwen: Path) -> None:
    assert trained_settings(tiny_qwen) is None
    full = as_trained(plain(), tiny_qwen)
    assert (full.max_length, full.pooling, full.terminal_token, full.projection) == (256, "auto", None, None)
    assert prompt_of(plain(), tiny_qwen).wrap("query") == ("", "")
    assert prompt_of(plain(prompt=E5), tiny_qwen).wrap("query") == ("query: ", "")
    assert as_trained(plain(max_length=7, projection=3), tiny_qwen).projection == 3


def test_what_is_left_open_comes_from_the_training(trained: Path) -> None:
    full = as_trained(plain(), trained)
    assert (full.pooling, full.terminal_token, full.bidirectional, full.max_length) == ("last", "<eos>", True, 24)
    assert full.normalize is True and full.projection is None
    assert prompt_of(plain(), trained).wrap("document") == ("passage: ", "")
    assert as_trained(full, trained) == full


def test_what_was_trained_may_be_said_again(trained: Path) -> None:
    custom = {"kind": "custom", "query_prefix": "query: ", "document_prefix": "passage: "}
    said = plain(prompt=custom, pooling="last", terminal_token="<eos>", bidirectional=True, projection=12)
    assert as_trained(said, trained) == as_trained(plain(), trained)


def test_length_normalisation_and_dimensions_may_differ(trained: Path) -> None:
    full = as_trained(plain(max_length=9, normalize=False, dim=4), trained)
    assert (full.max_length, full.normalize, full.dim) == (9, False, 4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompt": {"kind": "plain"}}, r"puts Wrapped\(prefix='', suffix=''\) around a query, but .* trained with .*'query: '.*drop model.prompt"),
        ({"prompt": {"kind": "custom", "query_prefix": "query: ", "document_prefix": "passage:"}}, "around a document, but"),
        ({"pooling": "mean"}, "model.pooling=mean, but the model was trained with last; drop model.pooling"),
        ({"terminal_token": "[SEP]", "pooling": "last"}, r"terminal_token=\[SEP\], but the model was trained with <eos>"),
        ({"bidirectional": False}, "bidirectional=False, but the model was trained with True"),
        ({"projection": 8}, "projection=8, but the model was trained with 12"),
    ],
)
def test_a_contradiction_names_both(trained: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        as_trained(plain(**given), trained)
    with pytest.raises(ModelError, match=said):
        text_input(plain(name=str(trained), **given))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "this version reads format 1"),
        ('{"format": 2}', "this version reads format 1"),
        ('{"format": 1}', "pooling: required"),
        ('{"format": 1, "trained_with": {"pooling": "max", "normalize": true, "max_length": 9}}', "pooling"),
    ],
)
def test_a_damaged_record_is_named(tiny_qwen: Path, copied: Copied, text: str, said: str) -> None:
    folder = copied(tiny_qwen)
    (folder / RECORD).write_text(text)
    with pytest.raises(ModelError, match=said) as raised:
        as_trained(plain(), folder)
    assert str(folder) in str(raised.value)


def test_tokens_are_the_same_wherever_they_are_made(trained: Path) -> None:
    settings = plain(name=str(trained))
    apart = text_input(settings).tokens(["a cat", "far " * 100], "query")
    with_model = Embedder(settings.model_copy(update={"projection": None})).tokenize(["a cat", "far " * 100], "query")
    assert np.array_equal(apart.ids, with_model.ids) and np.array_equal(apart.offsets, with_model.offsets)
    assert apart.lengths.tolist() == [2 + 2 + 1, 24]  # "query", ":", the text, the terminal token


def test_reading_texts_loads_no_torch(trained: Path) -> None:
    script = (
        "import sys; from ray_pipeline.config import parse; from ray_pipeline.models.embedder_settings import EmbedderSettings\n"
        "from ray_pipeline.models.text_input import text_input\n"
        "from ray_pipeline.models.adaptation import Lora\n"
        f"text_input(parse(EmbedderSettings, {{'name': {str(trained)!r}}})).tokens(['a cat'], 'query')\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr


def test_a_prompt_left_open_leaves_no_trace_in_the_fingerprint() -> None:
    assert "prompt" not in identity_of(plain())
    assert identity_of(plain(prompt=E5))["prompt"] == E5


# the new head


def test_a_new_head_is_the_same_wherever_and_whenever_it_is_made(tiny_bert: Path) -> None:
    first = Embedder(settings_of(tiny_bert, pooling="mean", projection=12))
    torch.manual_seed(7)
    second = Embedder(settings_of(tiny_bert, pooling="mean", projection=12))
    other = Embedder(settings_of(tiny_bert, pooling="mean", projection=12, projection_seed=1))
    weights = [one.projection[0][0].weight.detach() for one in (first, second, other)]  # type: ignore[index]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert first.output_dim == 12 and first.projection[0][0].bias.shape == (12,)  # type: ignore[index]
    assert float(weights[0].abs().max()) <= 32**-0.5 and float(weights[0].std()) == pytest.approx(32**-0.5 / 3**0.5, rel=0.1)


def test_a_new_head_is_a_linear_map_of_the_pooled_states(tiny_bert: Path) -> None:
    pooled = vectors(Embedder(settings_of(tiny_bert, pooling="mean", normalize=False)))
    headed = Embedder(settings_of(tiny_bert, pooling="mean", normalize=False, projection=12))
    linear = headed.projection[0][0]  # type: ignore[index]
    expected = pooled @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    np.testing.assert_allclose(vectors(headed), expected, atol=1e-5)


def test_encoding_is_without_dropout_and_leaves_the_mode(tiny_bert: Path) -> None:
    embedder = Embedder(settings_of(tiny_bert, pooling="mean"))
    expected = vectors(embedder)
    embedder.train()
    assert np.array_equal(vectors(embedder), expected)
    assert embedder.training and embedder.backbone.training
