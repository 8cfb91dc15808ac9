"""BFCL's descriptions of functions as OpenAI's tools.

Types are Python's there (`dict`, `float`, `tuple`) and JSON Schema's here. A name with a dot is no tool's name, so a dot becomes an underscore, and
`original_names` leads back. The words that BFCL adds before it shows a function to a model are added here too, since models are compared by
what they read: that it is a Python function, and that a float is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ray_pipeline.errors import DataError

TYPES: Final = {
    "string": "string",
    "integer": "integer",
    "float": "number",
    "boolean": "boolean",
    "array": "array",
    "tuple": "array",
    "dict": "object",
    "any": "string",
}
PYTHON: Final = " Note that the provided function is in Python 3 syntax."
FLOAT: Final = " This is a float type value."
_LEGAL: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Function = Mapping[str, Any]


def tool_name(name: str) -> str:
    return name.replace(".", "_")


def original_names(functions: Sequence[Function]) -> dict[str, str]:
    """BFCL's name of each tool."""
    names = {tool_name(one["name"]): str(one["name"]) for one in functions}
    if len(names) < len(functions):
        raise DataError(f"functions {', '.join(one['name'] for one in functions)}: two of them are one tool once dots are underscores")
    illegal = next((name for name in names if not _LEGAL.fullmatch(name)), None)
    if illegal is not None:
        raise DataError(f"function {illegal!r}: no name for a tool; letters, digits, _ and -, 64 at most")
    return names


def as_tools(functions: Sequence[Function]) -> str:
    """The JSON list that a conversation's `tools` holds."""
    return json.dumps([_tool(one) for one in functions])


def for_checking(function: Function) -> dict[str, Any]:
    """What is needed of a function to say whether a call of it is right."""
    return {"name": function["name"], "parameters": function["parameters"]}


def _tool(function: Function) -> dict[str, Any]:
    rest = {key: value for key, value in function.items() if key not in ("name", "description", "parameters", "response")}
    if rest:  # what is not known is not shown unchecked
        raise DataError(f"function {function['name']}: {', '.join(rest)}: not known of a function")
    described = {
        "name": tool_name(function["name"]),
        "description": function["description"] + PYTHON,
        "parameters": _schema(function["parameters"], function["name"]),
    }
    answer = {"response": function["response"]} if "response" in function else {}  # told as it stands, as BFCL does
    return {"type": "function", "function": described | answer}


def _schema(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A type in JSON Schema's words, and all that is within it."""
    kind = given.get("type", "any")
    if kind not in TYPES:
        raise DataError(f"function {name}: type {kind!r} is none of {', '.join(TYPES)}")
    found = {**given, "type": TYPES[kind]}
    if "properties" in given:
        found["properties"] = {key: _schema(one, name) | _float_words(one) for key, one in given["properties"].items()}
    if "items" in given:
        found["items"] = _schema(given["items"], name)
    return found


def _float_words(given: Mapping[str, Any]) -> dict[str, str]:
    return {"format": "float", "description": given.get("description", "") + FLOAT} if given.get("type") == "float" else {}
