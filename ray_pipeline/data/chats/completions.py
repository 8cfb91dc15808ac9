"""Prompt and completion: two texts, or two lists of messages (TRL's conversational form), the prompt's tools beside them.

Two texts are a user's turn and the assistant's; a list of messages stands as it is.
"""

from __future__ import annotations

import json
from typing import Any

from ray_pipeline.data.chats.openai import message_fields, messages_of, tools_of
from ray_pipeline.data.row import Row
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import Conversation, Message


def parse_completion(row: Row) -> Conversation:
    messages = (*turns(row, "prompt", "user"), *turns(row, "completion", "assistant"))
    return Conversation(messages, tools_of(row), row.optional_identifier("id"))


def turns(row: Row, field: str, role: str) -> tuple[Message, ...]:
    """A field that is a text of one role, or a list of messages."""
    row.require(field)
    value = row.fields[field]
    return (Message(role, value),) if isinstance(value, str) else messages_of(row, value, field)


def completion_line(conversation: Conversation) -> dict[str, Any]:
    *prompt, completion = conversation.messages
    if completion.role != "assistant":
        raise DataError(f"a completion is an assistant's, and the last message is of {completion.role!r}; leave such conversations out")
    line: dict[str, Any] = {} if conversation.chat_id is None else {"id": conversation.chat_id}
    line["prompt"] = [message_fields(message) for message in prompt]
    line["completion"] = [message_fields(completion)]
    if conversation.tools is not None:
        line["tools"] = json.loads(conversation.tools)
    return line
