"""Calls in Python's spelling: read, never run."""

from __future__ import annotations

import pytest

from ray_pipeline.metrics.python_calls import read_python_calls
from ray_pipeline.metrics.tool_calls import Call

NAMES = {"add": ("a", "b"), "fs.move": ("source", "target")}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("add(1, b=2.5)", [Call("add", {"a": 1, "b": 2.5})]),
        ("[add(a=-1, b=None), fs.move('x', target='y')]", [Call("add", {"a": -1, "b": None}), Call("fs.move", {"source": "x", "target": "y"})]),
        ("add(1, 2)\nadd(3, 4)", [Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3, "b": 4})]),
        ("(add(1, 2),)", [Call("add", {"a": 1, "b": 2})]),
        ("other(x=(1, [True, {'k': 'v'}]))", [Call("other", {"x": [1, [True, {"k": "v"}]]})]),
        ("[]", []),
    ],
)
def test_by_hand(text: str, found: list[Call]) -> None:
    assert read_python_calls(text, NAMES) == found


@pytest.mark.parametrize(
    "text",
    [
        "add(1, 2, 3)",
        "other(1)",
        "add(x)",
        "add(1, a=2)",
        "add(**{'a': 1})",
        "add(a=open('f'))",
        "add(a={1})",
        "add(a={1: 2})",
        "add(a=1e999)",
        "add(a=b'x')",
        "x = add(1)",
        "import os",
        "add",
        "f()(1)",
        "add(",
        "(" * 500 + ")" * 500,
        "add(1) for",
        "I will call add(1, 2).",
        "\x00",
    ],
)
def test_what_is_no_call_of_literals(text: str) -> None:
    assert read_python_calls(text, NAMES) is None
