"""Alpaca's format: an `instruction`, perhaps an `input` to it, and the `output`; `system` and earlier turns (`history`) beside them.

Instruction and input are one user's turn, a newline between them, as LLaMA-Factory reads them.
"""

from __future__ import annotations

from typing import Any

from ray_pipeline.data.row import Row, kind_of
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import Conversation, Message


def parse_alpaca(row: Row) -> Conversation:
    system, given = row.optional_text("system"), row.optional_text("input")
    messages = [Message("system", system)] if system else []
    for number, pair in enumerate(row.fields.get("history") or []):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise row.error(f"history[{number}] is {kind_of(pair)}, not a pair of texts")
        messages += [Message("user", pair[0]), Message("assistant", pair[1])]
    instruction = row.text("instruction")
    messages += [Message("user", f"{instruction}\n{given}" if given else instruction), Message("assistant", row.text("output"))]
    return Conversation(tuple(messages), None, row.optional_identifier("id"))


def alpaca_line(conversation: Conversation) -> dict[str, Any]:
    messages = list(conversation.messages)
    system = messages.pop(0).content if messages and messages[0].role == "system" else None
    roles = [message.role for message in messages]
    held = all(message == Message(message.role, message.content or "") for message in messages)
    if conversation.tools is not None or not held or not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        raise DataError("Alpaca's format holds texts of user and assistant in turn, without tools and reasoning; write OpenAI's")
    *history, instruction, output = [message.content or "" for message in messages]
    line: dict[str, Any] = {} if conversation.chat_id is None else {"id": conversation.chat_id}
    line |= {"instruction": instruction, "output": output}
    if system is not None:
        line["system"] = system
    if history:
        line["history"] = [list(pair) for pair in zip(history[::2], history[1::2], strict=True)]
    return line
