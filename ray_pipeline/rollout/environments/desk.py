"""A desk with tools: a reply's calls are made in their order, and each is answered by a tool's message.

A call that cannot be read, names no tool, has other arguments than the tool takes or is refused by it is answered by an error, which the policy may
read and mend; it is counted. The other calls of the reply are made.

Trap: JSON's 250.0 is a whole number to a schema; a tool gets it as 250.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jsonschema

from ray_pipeline.data.tasks.tool import Tool, ToolError, result_text
from ray_pipeline.metrics.tool_calls import Call
from ray_pipeline.rollout.environments.environment import Reply
from ray_pipeline.text.chat.conversation import Message

SHOWN: Final = 200  # characters of an error: it may quote what the policy wrote
UNREADABLE: Final = 'a call is <tool_call>{"name": ..., "arguments": {...}}</tool_call>'


class Desk:
    """The tools of one rollout, and how often they were called."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {one.name: one for one in tools}
        self.calls = 0
        self.failed = 0

    def served(self, reply: Reply) -> list[Message]:
        """An answer to each call; none where the reply calls nothing."""
        if reply.calls is None:
            return [self._refused(UNREADABLE)]
        return [self._answer(call) for call in reply.calls]

    def _answer(self, call: Call) -> Message:
        tool = self._tools.get(call.name)
        if tool is None:
            return self._refused(f"there is no tool {json.dumps(call.name)}; there are {', '.join(self._tools) or 'none'}", call.name)
        try:
            problem = next(jsonschema.Draft202012Validator(tool.parameters).iter_errors(call.arguments), None)
        except RecursionError:  # it quotes what is wrong, and cannot where that is nested a thousand deep
            return self._refused("the arguments are nested too deeply", call.name)
        if problem is not None:
            return self._refused(": ".join([*map(str, problem.absolute_path), problem.message]), call.name)
        try:
            result = tool.run(**_typed(call.arguments, tool))
        except ToolError as refusal:
            return self._refused(str(refusal), call.name)
        self.calls += 1
        return Message("tool", result_text(result), name=call.name)

    def _refused(self, why: str, name: str | None = None) -> Message:
        self.calls += 1
        self.failed += 1
        return Message("tool", result_text({"error": why[:SHOWN]}), name=name if name in self._tools else None)


def _typed(arguments: Mapping[str, Any], tool: Tool) -> dict[str, Any]:
    return {name: int(value) if tool.arguments[name]["type"] == "integer" else value for name, value in arguments.items()}
