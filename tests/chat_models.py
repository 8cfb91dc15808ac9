"""Tiny decoders that are spoken to in real chat templates: a byte-level tokenizer with the templates' marks, random weights."""

from __future__ import annotations

import copy
from importlib.resources import files
from pathlib import Path
from typing import Any

MARKS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
LEARNED_FROM = ["the user asks and the assistant answers\n\n", '{"name": "add", "arguments": {"a": 1}}\n', "I think that the sum is three. "] * 20


def byte_tokenizer() -> Any:
    """Byte-level BPE: every text comes back byte for byte."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(LEARNED_FROM, trainer)
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


def save_tiny_decoder(
    folder: Path, template_name: str | None = "qwen3_instruct_2507", kind: str = "qwen3", positions: int = 512, head_dim: int = 8
) -> Path:
    """A decoder of 2 layers and 32 dimensions with weights large enough that positions and neighbours matter."""
    import torch
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM, Qwen3Config, Qwen3ForCausalLM

    tokenizer = byte_tokenizer()
    if template_name is not None:
        tokenizer.chat_template = template(template_name)
    tokenizer.save_pretrained(folder)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    torch.manual_seed(0)
    if kind == "gpt_bigcode":
        quiet = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        shape = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 48, "n_positions": positions}
        GPTBigCodeForCausalLM(GPTBigCodeConfig(vocab_size=len(tokenizer), initializer_range=0.3, **shape, **quiet, **ends)).save_pretrained(folder)
        return folder
    shape = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": head_dim,
    }
    more = {"max_position_embeddings": positions, "tie_word_embeddings": True, "initializer_range": 0.3}
    Qwen3ForCausalLM(Qwen3Config(vocab_size=len(tokenizer), **shape, **more, **ends)).save_pretrained(folder)
    return folder
