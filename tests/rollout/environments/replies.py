"""Replies as a policy writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ray_pipeline.rollout.environments.environment import Environment, Reply
from ray_pipeline.text.chat.conversation import Message, ToolCall


def said(text: str, whole: bool = True) -> Reply:
    return Reply.of(text, whole=whole)


def called(*calls: ToolCall | tuple[str, dict[str, Any]]) -> Reply:
    pairs = [(one.name, json.loads(one.arguments)) if isinstance(one, ToolCall) else one for one in calls]
    return said("".join(f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>" for name, arguments in pairs))


def told(environment: Environment, reply: Reply) -> list[Any]:
    """What the environment answers: the values of tools' results, the texts of others."""
    return [json.loads(one.content or "") if one.role == "tool" else one.content for one in environment.answer(reply)]


def results(messages: Sequence[Message]) -> list[str | None]:
    return [one.content for one in messages if one.role == "tool"]
