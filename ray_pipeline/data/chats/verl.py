"""verl's rows for reinforcement learning: `prompt` is every message but the last reply, `reward_model.ground_truth` that reply.

The ground truth is what a reward compares with: the reply's text, or its calls as a JSON list of name and arguments. The reply as a message
(reasoning, ids) and the tools stand in `extra_info` as JSON, so that the conversation comes back whole. Rows of other makers, without
`extra_info.reply`, come back with the ground truth as the reply's text.
"""

from __future__ import annotations

import json
from typing import Any, Final

from ray_pipeline.data.chats.openai import message_fields, messages_of, tools_of
from ray_pipeline.data.row import Row, kind_of
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import Conversation, Message

_SOURCE: Final = "ray_pipeline"


def parse_verl(row: Row) -> Conversation:
    row.require("prompt")
    prompt = messages_of(row, row.fields["prompt"], "prompt")
    extra = row.fields.get("extra_info") or {}
    if not isinstance(extra, dict):
        raise row.error(f"extra_info is {kind_of(extra)}, not an object")
    beside = Row(row.path, row.line, extra)
    return Conversation((*prompt, _reply(row, beside)), tools_of(beside), beside.optional_identifier("index"))


def _reply(row: Row, beside: Row) -> Message:
    whole = beside.optional_text("reply")
    if whole is not None:
        try:
            return messages_of(row, [json.loads(whole)], "extra_info.reply")[0]
        except ValueError as problem:
            raise row.error(f"extra_info.reply is not JSON: {problem}") from problem
    row.require("reward_model")
    truth = row.fields["reward_model"].get("ground_truth") if isinstance(row.fields["reward_model"], dict) else None
    if not isinstance(truth, str):
        raise row.error(f"reward_model.ground_truth is {kind_of(truth)}, not text")
    return Message("assistant", truth)


def verl_line(conversation: Conversation) -> dict[str, Any]:
    *prompt, reply = conversation.messages
    if reply.role != "assistant":
        raise DataError(f"the ground truth is an assistant's reply, and the last message is of {reply.role!r}; leave such conversations out")
    calls = [{"name": call.name, "arguments": json.loads(call.arguments)} for call in reply.tool_calls or ()]
    truth = json.dumps(calls, ensure_ascii=False) if calls else reply.content or ""
    return {
        "data_source": _SOURCE,
        "prompt": [message_fields(message) for message in prompt],
        "ability": "tools" if conversation.tools else "chat",
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {
            "index": conversation.chat_id,
            "tools": conversation.tools,
            "reply": json.dumps(message_fields(reply), ensure_ascii=False),
        },
    }
