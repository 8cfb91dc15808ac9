"""What a function is: its schema, how users ask for it, what it returns and how that is answered.

All wordings are templates over the function's parameters. A call has the arguments that its wording mentions and no others, so a wording
decides which optional ones are there, and one that is made into a call mentions every required one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import Any

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.tool_chats.values import Values


@dataclass(frozen=True)
class Parameter:
    name: str
    values: Values
    description: str
    required: bool

    def schema(self) -> dict[str, Any]:
        kind = self.values.schema()
        return {"type": kind.pop("type"), "description": self.description, **kind}


def need(name: str, values: Values, description: str) -> Parameter:
    """A required parameter."""
    return Parameter(name, values, description, required=True)


def may(name: str, values: Values, description: str) -> Parameter:
    """An optional parameter."""
    return Parameter(name, values, description, required=False)


@dataclass(frozen=True)
class Spread:
    """Requests for several calls at once that differ in one parameter: "the weather in Oslo, Rome and Lima"."""

    parameter: str
    asks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Function:
    name: str
    description: str  # begins with a verb, so that "none of my tools can ..." goes on with it
    parameters: tuple[Parameter, ...]
    orders: tuple[str, ...]  # clauses in the imperative, without a capital or a full stop
    asks: tuple[str, ...]  # whole sentences
    result: Callable[[Draw, Mapping[str, Any]], dict[str, Any]]  # of the arguments
    answers: tuple[str, ...]  # templates over the required parameters and the result
    lacking: tuple[tuple[str, str], ...]  # a request that leaves out exactly one required parameter, and the question for it
    again: tuple[str, ...] = ()  # what is asked next, in so far as it differs from the last call
    spread: Spread | None = None

    @cached_property
    def schema(self) -> dict[str, Any]:
        """As OpenAI wraps it."""
        parameters = {
            "type": "object",
            "properties": {one.name: one.schema() for one in self.parameters},
            "required": [one.name for one in self.parameters if one.required],
        }
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": parameters}}

    def said(self, arguments: Mapping[str, Any]) -> dict[str, str]:
        """Arguments as they are said in a request."""
        return {one.name: one.values.said(arguments[one.name]) for one in self.parameters if one.name in arguments}


def mentioned(template: str) -> frozenset[str]:
    """The parameters that a wording mentions."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)
