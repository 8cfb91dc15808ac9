"""Conversations as an Arrow table, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from ray_pipeline.text.chat.conversation import Conversation, Message, ToolCall


def values_of(conversation: Conversation, number: int, source: str | None, format_name: str) -> tuple[Any, ...]:
    """A row of CHATS. `number`: of the row it was read from, which names what has no name; `source`: see there."""
    name = f"#{number}" if conversation.chat_id is None else conversation.chat_id
    return name, [asdict(message) for message in conversation.messages], conversation.tools, source, format_name


def conversations(table: pa.Table) -> Iterator[Conversation]:
    """The conversations of a CHATS table, in their order."""
    for batch in table.select(["chat_id", "messages", "tools"]).to_batches(max_chunksize=1024):
        yield from map(conversation_of, batch.to_pylist())


def conversation_of(row: dict[str, Any]) -> Conversation:
    name = row["chat_id"]
    return Conversation(tuple(message_of(one) for one in row["messages"]), row["tools"], None if name.startswith("#") else name)


def message_of(fields: dict[str, Any]) -> Message:
    """A message from the fields of its struct."""
    calls = fields["tool_calls"]
    return Message(**{**fields, "tool_calls": None if calls is None else tuple(ToolCall(**call) for call in calls)})
