"""Tests that a model wrote: the assert statements in its answer that call the problem's function, each on its own.

A chat model explains, puts tests between fences or into a function; a model that continues goes on until it is cut off. So whatever stands around
them, each line that begins with `assert` begins a test, which ends with the first line that makes it a whole statement.

Trap: `assert f(2)` holds for whatever is not false; a test has to say what is expected, so a comparison or a `not` is asked for.
"""

from __future__ import annotations

import ast
import warnings
from typing import Final

_LINES: Final = 20  # of one assertion at most


def tests_in(text: str, entry_point: str, most: int) -> list[str]:
    """The first `most` different assertions about the function, as they are written out anew."""
    lines = [line.strip() for line in text.splitlines()]
    found: dict[str, None] = {}
    for place, line in enumerate(lines):
        if not line.startswith("assert"):
            continue
        test = _assertion(lines[place : place + _LINES], entry_point)
        if test is not None:
            found[test] = None
        if len(found) == most:
            break
    return list(found)


def _assertion(lines: list[str], entry_point: str) -> str | None:
    for count in range(1, len(lines) + 1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)  # of a text that is not ours
                body = ast.parse("\n".join(lines[:count])).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the parser's ways to say that this is no Python it can hold
            continue
        if len(body) != 1 or not isinstance(body[0], ast.Assert):
            return None
        asked = body[0].test
        told = isinstance(asked, ast.Compare | ast.BoolOp) or (isinstance(asked, ast.UnaryOp) and isinstance(asked.op, ast.Not))
        return ast.unparse(ast.Assert(test=asked)) if told and _calls(asked, entry_point) else None
    return None


def _calls(asked: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name for node in ast.walk(asked))
