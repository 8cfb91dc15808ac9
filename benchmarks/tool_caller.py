"""A decoder that knows nothing yet, and a tokenizer and chat template for conversations with tools: small enough to be taught within minutes.

A template of a real model spends four hundred tokens on a conversation, most of them on JSON schemas that are the same every time. This one
offers a tool in a line, `name(argument, argument?)`; calls are written as Qwen's models write them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.rows import Rows

VOCABULARY: Final = 2048
SHAPE: Final = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 32,
}
SPREAD: Final = 0.05  # of the first weights: from 0.02, meant for wider models, learning to copy takes several times as long
ENDS: Final = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
CALL_MARKS: Final = ("<tool_call>", "</tool_call>")  # tokens of their own, but part of what is said
TEMPLATE: Final = """\
{%- if tools %}<|im_start|>system
{% for tool in tools %}
{%- set given = tool.function.parameters %}
{{- tool.function.name }}(
{%- for name in given.properties %}{{ name }}{{ '' if name in given.required else '?' }}{{ '' if loop.last else ', ' }}{% endfor %})
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}<tool_call>
{%- set given = call.function.arguments %}
{"name": "{{ call.function.name }}", "arguments": {{ given if given is string else given | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def new_tool_caller(folder: Path, chats: Artifact) -> Path:
    """A Qwen3 with random weights, and a tokenizer that was made on the conversations' words."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    tokenizer = Tokenizer(models.BPE())
    digits, letters = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, letters])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    rows = Rows.of(chats, "train/").table(["messages", "tools"]).to_pylist()
    tokenizer.train_from_iterator([text for row in rows for text in _texts(row)], trainer)
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in ENDS])
    tokenizer.add_tokens([AddedToken(mark, normalized=False, special=False) for mark in CALL_MARKS])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    ends = {"eos_token_id": fast.eos_token_id, "pad_token_id": fast.pad_token_id, "bos_token_id": None}
    config = Qwen3Config(vocab_size=len(fast), max_position_embeddings=1024, tie_word_embeddings=True, initializer_range=SPREAD, **SHAPE, **ends)
    Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


def _texts(row: Mapping[str, Any]) -> list[str]:
    tools = [tool["function"] for tool in json.loads(row["tools"] or "[]")]
    offered = [f"{tool['name']}({', '.join(tool['parameters']['properties'])})" for tool in tools]
    return ["system", *offered, *(text for message in row["messages"] for text in _said(message))]


def _said(message: Mapping[str, Any]) -> list[str]:
    calls = [json.dumps({"name": call["name"], "arguments": json.loads(call["arguments"])}) for call in message["tool_calls"] or ()]
    return [message["role"], message["content"] or "", *calls]
