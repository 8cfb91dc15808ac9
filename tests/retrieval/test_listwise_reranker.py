"""Listwise rerankers on a real, if random, decoder: letters by their logits, windows by what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from ray_pipeline.config import parse
from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.retrieval.listwise_reranker import ListwiseReranker
from ray_pipeline.text.listwise_prompts import lettered_question

DOCUMENTS = ["one half", "a third of it", "nothing", "the whole", "two"]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder of characters: every letter and digit is a token."""
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    folder = tmp_path_factory.mktemp("characters")
    characters = [chr(code) for code in range(32, 127)] + ["\n"]
    tokenizer = Tokenizer(models.WordLevel({one: place for place, one in enumerate(["[PAD]", "[UNK]", *characters])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    Qwen3ForCausalLM(Qwen3Config(vocab_size=98, max_position_embeddings=2048, initializer_range=0.3, **shape)).save_pretrained(folder)
    return folder


def made(folder: Path, kind: str, **given: Any) -> ListwiseReranker:
    return ListwiseReranker(parse(RerankerSettings, {"name": str(folder), "kind": kind, "max_length": 1500, **given}))


def test_letters_are_ordered_by_their_logits(decoder: Path) -> None:
    reranker = made(decoder, "letters")
    ids = reranker.tokenizer(lettered_question("q?", DOCUMENTS))["input_ids"]
    logits = reranker.backbone(torch.tensor([ids])).logits[0, -1, [reranker.tokenizer.convert_tokens_to_ids(one) for one in "ABCDE"]]
    expected = torch.argsort(logits, descending=True).tolist()
    assert np.argsort(-reranker.rank("q?", DOCUMENTS)).tolist() == expected


@pytest.mark.parametrize("kind", ["letters", "windows"])
def test_every_document_has_a_place_of_its_own_whatever_is_answered(decoder: Path, kind: str) -> None:
    reranker = made(decoder, kind, window=3, stride=2)
    found = reranker.rank("q?", DOCUMENTS)
    assert sorted(found.tolist()) == [0, 1, 2, 3, 4]
    assert reranker.rank("q?", DOCUMENTS).tolist() == found.tolist()
    assert reranker.rank("q?", DOCUMENTS[:1]).tolist() == [0.0]


def test_long_documents_lose_their_end_and_the_question_stays(decoder: Path) -> None:
    reranker = made(decoder, "letters", max_length=300)
    ids = reranker._question("what?", [f"{letter} {'x' * 400}" for letter in "abc"])
    text = reranker.tokenizer.decode(ids[0]).replace(" ", "")
    assert ids.shape[1] <= 300
    assert text.endswith("Answerwithitsletteralone.")
    assert all(f"{letter.upper()}.{letter}xxx" in text for letter in "abc")
    with pytest.raises(ModelError, match="leaves no room for 3 documents; raise it, or lower reranker.window"):
        made(decoder, "letters", max_length=100).rank("what?", ["x" * 99] * 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "letters", "window": 27}, "window=27, and there are 26 letters"),
        ({"kind": "windows", "window": 5, "stride": 6}, "between two windows would never be seen"),
        ({"kind": "windows", "score": "yes"}, "asks a question of its own"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse(RerankerSettings, {"name": "x", **given})
