"""Whether a reply calls the right tools with the right arguments.

A reply's calls are read as Qwen's and Hermes' templates write them: `<tool_call>` and `</tool_call>` around an object with a `name` and
`arguments`. Two sets of calls are equal if they hold the same calls, whatever their order: a parallel request says nothing of it.

Values are compared as JSON means them: numbers by value, lists in their order, objects by their keys; `true` is no number, although Python says
that True == 1. Arguments that are text hold the object in JSON, as OpenAI writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_BLOCK: Final = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_MARKS: Final = ("<tool_call>", "</tool_call>")


@dataclass(frozen=True)
class Call:
    """A function and what it is called with."""

    name: str
    arguments: Any


def read_calls(reply: str) -> list[Call] | None:
    """The calls of a reply, in their order; None where what should be one cannot be read."""
    found = []
    for block in _BLOCK.findall(reply):
        try:
            value = json.loads(block, parse_constant=_refused)
        except (ValueError, RecursionError):
            return None
        call = as_call(value)
        if call is None:
            return None
        found.append(call)
    rest = _BLOCK.sub("", reply)
    return None if any(mark in rest for mark in _MARKS) else found


def as_call(value: Any) -> Call | None:
    """An object with a name and arguments; None where it is something else."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", {})
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments, parse_constant=_refused)
        except (ValueError, RecursionError):
            return None
    return Call(value["name"], arguments) if isinstance(arguments, dict) else None


def same_calls(found: Sequence[Call], expected: Sequence[Call], typed: bool = False) -> bool:
    """Whether they are the same, each as often; `typed`: 1 is not 1.0."""
    left = list(expected)
    for call in found:
        at = next((at for at, one in enumerate(left) if one.name == call.name and same_value(one.arguments, call.arguments, typed)), None)
        if at is None:
            return False
        del left[at]  # by its place: `remove` would take the first that Python thinks equal
    return not left


def same_value(one: Any, other: Any, typed: bool = False) -> bool:
    """Whether two values of JSON mean the same; `typed`: and are written as the same kind of number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other and (not typed or isinstance(one, int) == isinstance(other, int))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same_value(left, right, typed) for left, right in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(value, other[key], typed) for key, value in one.items())
    return type(one) is type(other) and bool(one == other)


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
