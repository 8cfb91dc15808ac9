"""Calls read from replies and compared: by hand, by property, and what Python would take for equal."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.metrics.tool_calls import Call, as_call, read_calls, same_calls, same_value

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2).map(lambda one: round(one, 1)) | st.text("ab1", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=6,
)


def block(name: str, arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def test_by_hand() -> None:
    reply = f"Let me see.\n{block('add', {'a': 1})}\n{block('mul', {'b': [2]})}"
    assert read_calls(reply) == [Call("add", {"a": 1}), Call("mul", {"b": [2]})]
    assert read_calls("no calls here") == []


@pytest.mark.parametrize(
    "reply",
    [
        "<tool_call>{</tool_call>",
        '<tool_call>{"name": "add"',
        '{"name": "add"}</tool_call>',
        "<tool_call>[1]</tool_call>",
        '<tool_call>{"arguments": {}}</tool_call>',
        '<tool_call>{"name": "add", "arguments": [1]}</tool_call>',
        '<tool_call>{"name": "add", "arguments": "no"}</tool_call>',
        '<tool_call>{"name": "add", "arguments": {"a": NaN}}</tool_call>',
        "<tool_call>" + "[" * 100_000 + "</tool_call>",
    ],
)
def test_what_cannot_be_read_is_no_call(reply: str) -> None:
    assert read_calls(reply) is None


def test_arguments_as_text() -> None:
    assert as_call({"name": "add", "arguments": '{"a": 1}'}) == Call("add", {"a": 1})
    assert as_call({"name": "add"}) == Call("add", {})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (True, 1, False),
        (0, False, False),
        ([True], [1], False),
        (1, 1.0, True),
        ([1, 2, 3], [3, 2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": None}, {}, False),
        ("1", 1, False),
        (None, "", False),
        ({}, [], False),
    ],
)
def test_values_as_json_means_them(one: Any, other: Any, same: bool) -> None:
    assert same_value(one, other) is same
    assert same_value(other, one) is same


@given(VALUES, VALUES)
def test_equal_values_are_equal_both_ways_and_survive_json(one: Any, other: Any) -> None:
    assert same_value(one, one)
    assert same_value(one, other) == same_value(other, one)
    assert same_value(one, json.loads(json.dumps(one)))


@given(st.lists(st.tuples(st.sampled_from("fg"), VALUES.filter(lambda one: isinstance(one, dict))), max_size=4), st.integers(0, 9))
def test_the_order_of_calls_does_not_count_and_their_number_does(given_calls: list[tuple[str, Any]], seed: int) -> None:
    calls = [Call(name, arguments) for name, arguments in given_calls]
    shuffled = random.Random(seed).sample(calls, len(calls))
    assert same_calls(shuffled, calls)
    if calls:
        assert not same_calls(calls[1:], calls)
        assert not same_calls([*calls, calls[0]], calls)


def test_one_argument_off_is_another_call() -> None:
    assert not same_calls([Call("f", {"a": 1})], [Call("f", {"a": 2})])
    assert not same_calls([Call("g", {"a": 1})], [Call("f", {"a": 1})])
    assert not same_calls([Call("f", {"a": True})], [Call("f", {"a": 1})])
    truth, one = Call("f", {"a": True}), Call("f", {"a": 1})
    assert same_calls([one, truth], [truth, one])
