"""Tool schemas from a file, checked before anybody is asked anything.

Trap: a schema may point to another one by address; what checks arguments here looks nothing up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
from referencing import Registry

from ray_pipeline.data.files import decoded, reading
from ray_pipeline.errors import DataError
from ray_pipeline.text.chat.conversation import tool_name


def read_tools(path: str) -> list[dict[str, Any]]:
    """A JSON list of function schemas, or one a line; each as OpenAI wraps it."""
    with reading(path) as stream:
        text = decoded(stream.read(), path, 1)
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as problem:
        raise DataError(f"{path}: neither a JSON list of tools nor one tool a line: {problem}") from problem
    if not found:
        raise DataError(f"{path}: holds no tools")
    names: set[str] = set()
    for number, tool in enumerate(found, 1):
        name = tool_name(tool)
        if name is None:
            raise DataError(f"{path}: tool {number} has no name; a tool is a function's schema")
        if name in names:
            raise DataError(f"{path}: two tools are called {name!r}; a name means one tool")
        names.add(name)
        try:
            jsonschema.Draft202012Validator.check_schema(_parameters(tool))
        except jsonschema.SchemaError as problem:
            raise DataError(f"{path}: the parameters of {name!r} are no JSON schema: {problem.message}") from problem
    return [tool if "function" in tool else {"type": "function", "function": tool} for tool in found]


def checker(tool: Mapping[str, Any]) -> jsonschema.Draft202012Validator:
    """Says whether arguments are a tool's."""
    return jsonschema.Draft202012Validator({"type": "object", **_parameters(tool)}, registry=Registry())


def _parameters(tool: Mapping[str, Any]) -> dict[str, Any]:
    found = tool.get("function", tool).get("parameters") or {}
    return dict(found) if isinstance(found, Mapping) else {}
