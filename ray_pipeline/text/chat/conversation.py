"""A conversation: messages of system, user, assistant and tools, and the tools there are.

What a tool is called with is kept as the JSON text that stood in the data: two spellings of one value are two texts to a model. `content`
of None and of "" differ as they do in OpenAI's format; templates read both as nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

Role = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: Final[tuple[str, ...]] = get_args(Role)


@dataclass(frozen=True)
class ToolCall:
    """An assistant's call of a tool."""

    name: str
    arguments: str  # JSON, an object
    call_id: str | None = None


@dataclass(frozen=True)
class Message:
    """One turn, or a part of one."""

    role: str
    content: str | None = None
    reasoning: str | None = None  # what the assistant thought before it answered
    tool_calls: tuple[ToolCall, ...] | None = None
    name: str | None = None  # who speaks; of a tool's result the tool
    call_id: str | None = None  # of the call that a tool's result answers


@dataclass(frozen=True)
class Conversation:
    """Messages in their order. `tools`: a JSON list of function schemas."""

    messages: tuple[Message, ...]
    tools: str | None = None
    chat_id: str | None = None


def faults(conversation: Conversation) -> list[str]:
    """What no model can be taught from, in words."""
    messages, found = conversation.messages, []
    if not messages:
        return ["there are no messages"]
    offered = None if conversation.tools is None else {name for name in map(tool_name, json.loads(conversation.tools)) if name}
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if message.role not in ROLES:
            found.append(f"{where}: the role {message.role!r} is none of {', '.join(ROLES)}")
        if message.tool_calls and message.role != "assistant":
            found.append(f"{where}: only an assistant calls tools, and this is {message.role!r}")
        found += [f"{where}: {problem}" for problem in _faults_of_calls(message.tool_calls or (), offered)]
    return found


def _faults_of_calls(calls: Sequence[ToolCall], offered: set[str] | None) -> list[str]:
    found = []
    for call in calls:
        try:
            value = json.loads(call.arguments)
        except ValueError as problem:
            found.append(f"the arguments of {call.name!r} are not JSON: {problem}")
            continue
        if not isinstance(value, dict):
            found.append(f"the arguments of {call.name!r} are not an object")
        if offered is not None and call.name not in offered:
            found.append(f"calls {call.name!r}, which is not among the tools ({', '.join(sorted(offered)) or 'there are none'})")
    return found


def tool_name(tool: Any) -> str | None:
    """Of a schema as OpenAI wraps it (`{"type": "function", "function": {...}}`), or bare."""
    inner = (tool.get("function") or tool) if isinstance(tool, dict) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else None
