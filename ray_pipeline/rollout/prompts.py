"""What policies are asked where a conversation says which calls are right: its beginning, up to a reply."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ray_pipeline.data.chats.table import conversation_of
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.tool_calls import Call
from ray_pipeline.rollout.draw_settings import Replies
from ray_pipeline.rollout.generate_shards import asked
from ray_pipeline.text.chat.conversation import Conversation
from ray_pipeline.text.chat.rendering import Renderer


@dataclass(frozen=True)
class Prompt:
    """What is asked, and the calls that are right."""

    prompt_id: str
    ids: tuple[int, ...]
    supplied: str  # what the template wrote of the reply
    right: tuple[Call, ...]
    messages: tuple[Mapping[str, Any], ...]


def prompts_of(rows: Iterable[dict[str, Any]], renderer: Renderer, replies: Replies) -> list[Prompt]:
    """Conversations up to a reply, whose calls are the right ones."""
    return [prompt for row in rows for prompt in _prompts(row, conversation_of(row), renderer, replies)]


def _prompts(row: dict[str, Any], whole: Conversation, renderer: Renderer, replies: Replies) -> Iterator[Prompt]:
    places = [place for place, message in enumerate(whole.messages) if message.role == "assistant"]
    if not places:
        raise DataError(f"conversation {row['chat_id']}: it has no reply, so nobody knows which calls are right; leave it out")
    chosen = {"last": places[-1:], "first": places[:1], "all": places}[replies]
    for place in chosen:
        name = f"{row['chat_id']}/{place}" if replies == "all" else row["chat_id"]
        try:
            yield _prompt(name, whole, place, renderer)
        except (DataError, ValueError) as problem:
            raise DataError(f"conversation {row['chat_id']}: {problem}") from problem


def _prompt(name: str, whole: Conversation, place: int, renderer: Renderer) -> Prompt:
    before = asked(Conversation(whole.messages[: place + 1], whole.tools, whole.chat_id))
    right = tuple(Call(call.name, json.loads(call.arguments)) for call in whole.messages[place].tool_calls or ())
    return Prompt(name, tuple(renderer.prompt(before)), renderer.supplied, right, tuple(asdict(message) for message in before.messages))
