"""Calls against answers, by hand: every rule once to each side. That the rules are BFCL's is tested beside this, against its own checker."""

from __future__ import annotations

from typing import Any

import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.function_match import why_wrong
from ray_pipeline.metrics.tool_calls import Call


def function(name: str, required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "parameters": {"type": "dict", "properties": properties, "required": required}}


TEXT, WHOLE, REAL, FLAG, ANY = ({"type": kind} for kind in ("string", "integer", "float", "boolean", "any"))
REALS, PAIR = {"type": "array", "items": REAL}, {"type": "tuple", "items": WHOLE}
OBJECT, OBJECTS = {"type": "dict"}, {"type": "array", "items": {"type": "dict"}}


@pytest.mark.parametrize(
    ("described", "right", "value", "wrong"),
    [
        (TEXT, ["New York, NY"], "new york ny.", None),
        (TEXT, ["it's"], 'IT"S', None),
        (TEXT, ["New York"], "Newark", "is none of"),
        (TEXT, ["5"], 5, "is no string"),
        (ANY, ["x"], "X", None),
        (WHOLE, [5, 6], 6, None),
        (WHOLE, [5], 5.0, "is no integer"),
        (WHOLE, [1], True, "is no integer"),
        (WHOLE, ["size"], "size", None),  # a variable's name
        (WHOLE, ["size"], "Size", "is none of"),  # whose letters count
        (WHOLE, ["size"], 7, "is none of"),
        (REAL, [5.0], 5, None),
        (REAL, [5.0], "5", "is no float"),
        (FLAG, [True], True, None),
        (FLAG, [True], False, "is none of"),
        (FLAG, [True], 1, "is no boolean"),
        (REALS, [[1.5, 2.0]], [1.5, 2.0], None),
        (REALS, [[1.5, 2.0]], [2.0, 1.5], "is none of"),
        (REALS, [[1.5, 2.0]], [1.5, 2], "has items that are no float"),  # no whole number for a float within a list
        (REALS, [[1, 2]], [1, 2], None),  # unless the answer has them
        (REALS, ["", [1.5]], [], None),
        (PAIR, [[1, 2]], [1, 2], None),
        (PAIR, [[1, 2]], "1, 2", "is no tuple"),
        ({"type": "array", "items": TEXT}, [["Ann B", "C"]], ["annb", "c."], None),
        (OBJECT, [{"to": ["Ann"], "at": [5, ""]}], {"to": "ANN"}, None),
        (OBJECT, [{"to": ["Ann"], "at": [5]}], {"to": "Ann"}, "is none of"),
        (OBJECT, [{"to": ["Ann"]}], {"to": "Ann", "at": 5}, "is none of"),
        (OBJECT, ["", {"to": ["Ann"]}], {"to": "Bob"}, "is none of"),
        (OBJECTS, [[{"a": [1]}, {"a": [2]}]], [{"a": 1}, {"a": 2}], None),
        (OBJECTS, [[{"a": [1]}, {"a": [2]}]], [{"a": 2}, {"a": 1}], "is none of"),
        (OBJECTS, [[{"a": [1]}]], [{"a": 1}, {"a": 1}], "is none of"),
        (OBJECTS, ["", [{"a": [1]}]], ["a"], "is none of"),  # what BFCL's own breaks at
    ],
)
def test_a_value(described: dict[str, Any], right: list[Any], value: Any, wrong: str | None) -> None:
    found = why_wrong([Call("f", {"x": value})], [function("f", ["x"], x=described)], [{"f": {"x": right}}])
    assert found is None if wrong is None else found is not None and wrong in found and found.startswith("x: ")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"a": 1}, None),
        ({"a": 1, "b": 2}, None),
        ({"b": 2}, "a is required and missing"),
        ({"a": 1, "c": 3}, "c is no argument here"),
        ({"a": 1, "d": 3}, "d is no argument here"),  # described, but with no right value
    ],
)
def test_arguments(arguments: dict[str, Any], wrong: str | None) -> None:
    described = function("f", ["a"], a=WHOLE, b=WHOLE, d=WHOLE)
    assert why_wrong([Call("f", arguments)], [described], [{"f": {"a": [1], "b": ["", 2]}}]) == wrong
    assert why_wrong([Call("f", arguments)], [described], [{"f": {"a": [1], "b": [2]}}]) == (
        "b is missing, and has to be given" if arguments == {"a": 1} else wrong
    )


def test_calls_and_their_order() -> None:
    described = [function("f", ["x"], x=WHOLE), function("g", [])]
    right: list[dict[str, Any]] = [{"f": {"x": [1]}}, {"g": {}}, {"f": {"x": [1, 2]}}]
    one, two, other = Call("f", {"x": 1}), Call("f", {"x": 2}), Call("g", {})
    assert why_wrong([two, other, one], described, right) is None
    assert why_wrong([one, other, one], described, right) is None
    assert (
        why_wrong([two, other, two], described, right)
        == "no call fits the answer f: x: 2 is none of [1]; g is called in place of f; x: 2 is none of [1]"
    )
    assert why_wrong([one, two], described, right) == "2 calls in place of 3"
    assert why_wrong([], described, right) == "0 calls in place of 3"
    assert why_wrong([other], described, right[:1]) == "g is called in place of f"


def test_each_answer_takes_the_first_call_that_fits_as_bfcl_does() -> None:
    described = [function("f", ["x"], x=WHOLE)]
    right: list[dict[str, Any]] = [{"f": {"x": [1, 2]}}, {"f": {"x": [1]}}]
    assert why_wrong([Call("f", {"x": 2}), Call("f", {"x": 1})], described, right) is None
    assert why_wrong([Call("f", {"x": 1}), Call("f", {"x": 2})], described, right) is not None


def test_answers_that_do_not_fit_their_functions_are_refused() -> None:
    with pytest.raises(DataError, match="the answer calls 'g', which is none of the functions f"):
        why_wrong([Call("f", {})], [function("f", [])], [{"g": {}}])
    with pytest.raises(DataError, match="type 'hash' of a parameter is none of"):
        why_wrong([Call("f", {"x": 1})], [function("f", [], x={"type": "hash"})], [{"f": {"x": [1]}}])
