"""OpenAI's chat format: `messages` with roles, tool calls and tool results, `tools` beside them.

As it is met: arguments of a call as JSON text (OpenAI) or as an object (Hugging Face); reasoning under `reasoning_content`, `reasoning` or
`thinking`; content as text or as a list of text parts; `tools` as a list or as its JSON text; calls with or without `type` and ids. In
Parquet every message has every key, most of them null: null and absent are one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ray_pipeline.data.row import Row, kind_of
from ray_pipeline.text.chat.conversation import Conversation, Message, ToolCall

_REASONING: Final = ("reasoning_content", "reasoning", "thinking")


def parse_openai(row: Row) -> Conversation:
    row.require("messages")
    return Conversation(messages_of(row, row.fields["messages"], "messages"), tools_of(row), row.optional_identifier("id"))


def openai_line(conversation: Conversation) -> dict[str, Any]:
    """As OpenAI writes it."""
    line: dict[str, Any] = {} if conversation.chat_id is None else {"id": conversation.chat_id}
    line["messages"] = [message_fields(message) for message in conversation.messages]
    if conversation.tools is not None:
        line["tools"] = json.loads(conversation.tools)
    return line


def messages_of(row: Row, value: Any, where: str) -> tuple[Message, ...]:
    if not isinstance(value, list):
        raise row.error(f"{where} is {kind_of(value)}, not a list of messages")
    return tuple(_message(row, one, f"{where}[{number}]") for number, one in enumerate(value))


def tools_of(row: Row, field: str = "tools") -> str | None:
    """The tools as JSON text, in the words of the data."""
    value = row.fields.get(field)
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError) as problem:
            raise row.error(f"{field} are not JSON: {problem}") from problem
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise row.error(f"{field} is {kind_of(value)}, not a list of function schemas")
    return json.dumps(value, ensure_ascii=False)


def message_fields(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.reasoning is not None:
        found["reasoning_content"] = message.reasoning
    if message.name is not None:
        found["name"] = message.name
    if message.tool_calls is not None:
        found["tool_calls"] = [_call_fields(call) for call in message.tool_calls]
    if message.call_id is not None:
        found["tool_call_id"] = message.call_id
    return found


def _call_fields(call: ToolCall) -> dict[str, Any]:
    named = {} if call.call_id is None else {"id": call.call_id}
    return {**named, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _message(row: Row, value: Any, where: str) -> Message:
    if not isinstance(value, dict):
        raise row.error(f"{where} is {kind_of(value)}, not an object")
    if value.get("role") is None:
        raise row.error(f"{where} has no role; its keys are {', '.join(value) or 'none'}")
    reasoning = next((value[key] for key in _REASONING if value.get(key) is not None), None)
    calls = value.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise row.error(f"{where}.tool_calls is {kind_of(calls)}, not a list")
    return Message(
        _text(row, value["role"], f"{where}.role") or "",
        _content(row, value.get("content"), f"{where}.content"),
        _text(row, reasoning, f"{where}: reasoning"),
        None if calls is None else tuple(call_of(row, call, f"{where}.tool_calls[{at}]") for at, call in enumerate(calls)),
        _text(row, value.get("name"), f"{where}.name"),
        _text(row, value.get("tool_call_id"), f"{where}.tool_call_id"),
    )


def call_of(row: Row, value: Any, where: str) -> ToolCall:
    """A call, in OpenAI's wrapping or bare."""
    inner = value.get("function") or value if isinstance(value, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise row.error(f"{where}: a call needs the name of a function")
    arguments = inner.get("arguments")
    if arguments is None:
        arguments = "{}"
    elif not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(inner["name"], arguments, _text(row, value.get("id"), f"{where}.id"))


def _content(row: Row, value: Any, where: str) -> str | None:
    if not isinstance(value, list):
        return _text(row, value, where)
    for at, part in enumerate(value):
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, dict) else kind_of(part)
            raise row.error(f"{where}[{at}] is {kind!r}; only text parts can be trained on")
    return "".join(part["text"] for part in value)


def _text(row: Row, value: Any, where: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise row.error(f"{where} is {kind_of(value)}, not text")
    return value
