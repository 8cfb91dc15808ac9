"""Tools that can be called: a function schema, and what is done when it is called.

A tool gives a result or refuses (`ToolError`); both are told to the policy, as a result's JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class ToolError(Exception):
    """A call that a tool refuses, in words for who made it."""


@dataclass(frozen=True)
class Tool:
    """`run` gets the arguments by name; the schema says which there are."""

    name: str
    description: str
    arguments: Mapping[str, Mapping[str, Any]]  # JSON schemas, all required
    run: Callable[..., Mapping[str, Any]]

    @property
    def parameters(self) -> dict[str, Any]:
        """The schema of the arguments."""
        properties = {name: dict(one) for name, one in self.arguments.items()}
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def tools_json(tools: Iterable[Tool]) -> str:
    """As OpenAI wraps them."""
    functions = [{"name": one.name, "description": one.description, "parameters": one.parameters} for one in tools]
    return json.dumps([{"type": "function", "function": one} for one in functions], ensure_ascii=False)


def result_text(result: Mapping[str, Any]) -> str:
    """What a policy reads of a result. A name it wrote may come back in it, and JSON can spell half of a surrogate pair, which no tokenizer holds."""
    return json.dumps(result, ensure_ascii=False).encode(errors="replace").decode()
