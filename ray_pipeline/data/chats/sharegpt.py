"""ShareGPT's format: `conversations` of `from` and `value`, `system` and `tools` beside them.

The dialect with tools is LLaMA-Factory's: a turn from `function_call` holds a call as JSON (or a list of calls), the one from `observation`
its result, `tools` is JSON text. It has no place for reasoning, names and ids of calls: a conversation with these is not written.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from ray_pipeline.data.chats.openai import call_of, tools_of
from ray_pipeline.data.row import Row, kind_of
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import Conversation, Message

_ROLES: Final = {"human": "user", "gpt": "assistant", "observation": "tool", **{name: name for name in ("system", "user", "assistant", "tool")}}
_NAMES: Final = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}
_CALL: Final = "function_call"


def parse_sharegpt(row: Row) -> Conversation:
    row.require("conversations")
    turns = row.fields["conversations"]
    if not isinstance(turns, list):
        raise row.error(f"conversations is {kind_of(turns)}, not a list of turns")
    system = row.optional_text("system")
    messages = [Message("system", system)] if system else []
    for number, turn in enumerate(turns):
        message = _message(row, turn, f"conversations[{number}]")
        if message.tool_calls and messages and messages[-1].role == "assistant" and not messages[-1].tool_calls:
            message = replace(messages.pop(), tool_calls=message.tool_calls)  # what was said before a call belongs to it
        messages.append(message)
    return Conversation(tuple(messages), tools_of(row), row.optional_identifier("id"))


def sharegpt_line(conversation: Conversation) -> dict[str, Any]:
    line: dict[str, Any] = {} if conversation.chat_id is None else {"id": conversation.chat_id}
    line["conversations"] = [turn for message in conversation.messages for turn in _turns(message)]
    if conversation.tools is not None:
        line["tools"] = conversation.tools
    return line


def _message(row: Row, turn: Any, where: str) -> Message:
    if not isinstance(turn, dict) or not isinstance(turn.get("from"), str):
        raise row.error(f"{where} has no `from`; a turn is an object of from and value")
    said, value = turn["from"], turn.get("value")
    if not isinstance(value, str):
        raise row.error(f"{where}.value is {kind_of(value)}, not text")
    if said == _CALL:
        try:
            calls = json.loads(value)
        except ValueError as problem:
            raise row.error(f"{where}: the call is not JSON: {problem}") from problem
        listed = calls if isinstance(calls, list) else [calls]
        return Message("assistant", None, tool_calls=tuple(call_of(row, call, f"{where}[{at}]") for at, call in enumerate(listed)))
    if said not in _ROLES:
        raise row.error(f"{where}: `from` is {said!r}; it is one of {', '.join([*_ROLES, _CALL])}")
    return Message(_ROLES[said], value)


def _turns(message: Message) -> list[dict[str, str]]:
    unheld = [name for name in ("reasoning", "name", "call_id") if getattr(message, name) is not None]
    unheld += ["ids of calls"] if any(call.call_id is not None for call in message.tool_calls or ()) else []
    if unheld or message.role not in _NAMES:
        raise DataError(f"ShareGPT's format has no place for {', '.join(unheld) or f'the role {message.role!r}'}; write OpenAI's")
    turns = [] if message.content is None else [{"from": _NAMES[message.role], "value": message.content}]
    if message.tool_calls:
        calls = [{"name": call.name, "arguments": json.loads(call.arguments)} for call in message.tool_calls]
        turns.append({"from": _CALL, "value": json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)})
    return turns
