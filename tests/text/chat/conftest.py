"""A small tokenizer with the marks of chat templates, and real templates from the trl wheel."""

from __future__ import annotations

import copy
from importlib.resources import files
from typing import Any

import pytest

MARKS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]


@pytest.fixture(scope="session")
def chat_tokenizer() -> Any:
    """Byte-level BPE: every text comes back byte for byte."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    text = ["the user asks and the assistant answers\n\n", '{"name": "add", "arguments": {"a": 1}}\n', "I think that the sum is three. "] * 20
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(text, trainer)
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in MARKS[:3]])
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in MARKS[3:]])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=["<|im_start|>"]
    )


def template(name: str) -> str:
    return (files("trl") / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


def with_template(tokenizer: Any, name: str) -> Any:
    """The same tokenizer under another template."""
    found = copy.copy(tokenizer)
    found.chat_template = template(name)
    return found
