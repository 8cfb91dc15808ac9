"""Calls written as Python: `[get_weather(city="Paris"), add(1, 2)]`, read without running anything.

Arguments are literals. Those given by place get the names that `parameters` (a function's parameters in order) has for them. What is anything else
than calls of literals (a variable, a comprehension, a keyword twice, more arguments than parameters) is None: it says no call. A name may have dots.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ray_pipeline.metrics.tool_calls import Call


def read_python_calls(text: str, parameters: Mapping[str, Sequence[str]]) -> list[Call] | None:
    """The calls of a reply that consists of them: one, several in a list or tuple, or one a line; None where it is none of these."""
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the parser's ways to say that this is no Python it can hold
        return None
    written: list[ast.expr] = []
    for statement in body:
        if not isinstance(statement, ast.Expr):
            return None
        written += statement.value.elts if isinstance(statement.value, ast.List | ast.Tuple) else [statement.value]
    found = [_call(one, parameters) for one in written]
    return None if any(one is None for one in found) else [one for one in found if one is not None]


def _call(written: ast.expr, parameters: Mapping[str, Sequence[str]]) -> Call | None:
    if not isinstance(written, ast.Call):
        return None
    name = _dotted(written.func)
    names = parameters.get(name or "", ())
    if name is None or len(written.args) > len(names):
        return None
    given = [*zip(names, written.args, strict=False), *((one.arg, one.value) for one in written.keywords)]
    arguments: dict[str, Any] = {}
    for key, value in given:
        if key is None or key in arguments:  # **more, or one given twice
            return None
        try:
            arguments[key] = _plain(ast.literal_eval(value))
        except (ValueError, TypeError, RecursionError, MemoryError):
            return None
    return Call(name, arguments)


def _dotted(written: ast.expr) -> str | None:
    if isinstance(written, ast.Name):
        return written.id
    inner = _dotted(written.value) if isinstance(written, ast.Attribute) else None
    return f"{inner}.{written.attr}" if inner is not None and isinstance(written, ast.Attribute) else None


def _plain(value: Any) -> Any:
    """A literal as JSON has it: tuples are lists; what JSON has not is refused."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key that is no text")
        return {key: _plain(one) for key, one in value.items()}
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f"{type(value).__name__} is no value of JSON")
