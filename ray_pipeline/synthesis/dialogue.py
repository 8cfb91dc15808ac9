"""A conversation with tools, written turn by turn by one model in three parts: the user, the assistant, and the tools.

    user       is told which tools there are, and asks for something, or goes on
    assistant  is given the conversation and the tools, as it will be when it is used
    tools      a call is answered by what such a tool might return, as JSON

A call has to be one of the tools offered, its arguments of the tool's schema; an answer of a tool has to be JSON. A conversation in which anything
is not so is left out, and why is counted: a model that is taught a wrong call will make it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ray_pipeline.synthesis.endpoint import Endpoint
from ray_pipeline.synthesis.settings import DialogueSettings
from ray_pipeline.synthesis.tools import checker
from ray_pipeline.text.chat.conversation import Conversation, Message, ToolCall, tool_name

_USER: Final = (
    "You write what a user says to an assistant that has these tools:\n{tools}\nSpeak {language}, as people do, with all the details that the tools "
    "need, and never name a tool. Write the user's next message and nothing else."
)
_FIRST: Final = "Write the first message: ask for something that one or several of the tools can do. Conversation number {number}."
_NEXT: Final = "So far:\n{said}\nWrite what the user says next: something further, that builds on this."
_TOOL: Final = (
    "You are the tool {name}: {tool}\nIt was called with {arguments}. Answer with what it returns: one JSON object with plausible values, "
    "and nothing else."
)


class UnusableError(Exception):
    """Why a conversation is left out, in a few words that can be counted."""


@dataclass(frozen=True)
class Dialogue:
    """Writes conversations over one endpoint."""

    endpoint: Endpoint
    settings: DialogueSettings

    async def write(self, tools: Sequence[Mapping[str, Any]], number: int) -> Conversation:
        """One conversation that offers these tools; `number` is its seed."""
        messages: list[Message] = []
        for _ in range(self.settings.turns):
            messages.append(Message("user", await self._user(tools, messages, number)))
            await self._answer(tools, messages, number)
        return Conversation(tuple(messages), json.dumps(list(tools), ensure_ascii=False), f"s{number:06d}")

    async def _user(self, tools: Sequence[Mapping[str, Any]], messages: Sequence[Message], number: int) -> str:
        told = _USER.format(tools=json.dumps(list(tools), ensure_ascii=False), language=self.settings.language)
        said = "\n".join(f"{message.role}: {message.content or '(calls tools)'}" for message in messages)
        asked = _NEXT.format(said=said) if messages else _FIRST.format(number=number)
        reply = await self.endpoint.reply([{"role": "system", "content": told}, {"role": "user", "content": asked}], seed=number)
        text = reply.get("content")
        if not isinstance(text, str) or not text.strip():
            raise UnusableError("the user says nothing")
        return text.strip()

    async def _answer(self, tools: Sequence[Mapping[str, Any]], messages: list[Message], number: int) -> None:
        """Replies and tools' answers until the assistant says something without a call."""
        for _ in range(self.settings.most_steps):
            reply = await self.endpoint.reply([_fields(message) for message in messages], tools, seed=number)
            message = _message(reply, tools, len(messages))
            messages.append(message)
            if not message.tool_calls:
                if not (message.content or "").strip():
                    raise UnusableError("the assistant says nothing")
                return
            messages += [Message("tool", await self._tool(tools, call, number), name=call.name, call_id=call.call_id) for call in message.tool_calls]
        raise UnusableError("too many steps")

    async def _tool(self, tools: Sequence[Mapping[str, Any]], call: ToolCall, number: int) -> str:
        schema = next(tool for tool in tools if tool_name(tool) == call.name)
        asked = _TOOL.format(name=call.name, tool=json.dumps(schema, ensure_ascii=False), arguments=call.arguments)
        reply = await self.endpoint.reply([{"role": "user", "content": asked}], seed=number)
        text = str(reply.get("content") or "").strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
        try:
            return json.dumps(json.loads(text), ensure_ascii=False)
        except (ValueError, RecursionError) as problem:
            raise UnusableError("a tool's answer is not JSON") from problem


def _message(reply: Mapping[str, Any], tools: Sequence[Mapping[str, Any]], place: int) -> Message:
    """The assistant's message, its calls checked."""
    content, reasoning, given = reply.get("content"), reply.get("reasoning_content") or reply.get("reasoning"), reply.get("tool_calls") or []
    if not isinstance(given, list):
        raise UnusableError("calls are no list")
    calls = tuple(_call(one, tools, f"call_{place}_{at}") for at, one in enumerate(given))
    return Message(
        "assistant", content if isinstance(content, str) else None, reasoning if isinstance(reasoning, str) and reasoning else None, calls or None
    )


def _call(value: Any, tools: Sequence[Mapping[str, Any]], call_id: str) -> ToolCall:
    inner = value.get("function") if isinstance(value, Mapping) else None
    name, text = (inner.get("name"), inner.get("arguments")) if isinstance(inner, Mapping) else (None, None)
    tool = next((one for one in tools if tool_name(one) == name), None)
    if tool is None:
        raise UnusableError("calls a tool that is not offered")
    try:
        arguments = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError) as problem:
        raise UnusableError("arguments are not JSON") from problem
    if not checker(tool).is_valid(arguments):
        raise UnusableError("arguments are not of the tool's schema")
    return ToolCall(str(name), json.dumps(arguments, ensure_ascii=False), call_id)


def _fields(message: Message) -> dict[str, Any]:
    """As the protocol wants it."""
    found: dict[str, Any] = {"role": message.role, "content": message.content or ""}
    if message.tool_calls:
        found["tool_calls"] = [
            {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ]
    if message.role == "tool":
        found |= {"tool_call_id": message.call_id, "name": message.name}
    return found
