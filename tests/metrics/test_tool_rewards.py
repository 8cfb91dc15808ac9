"""Rewards of replies that call tools: by hand, and what must not pay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ray_pipeline.metrics.tool_calls import Call
from ray_pipeline.metrics.tool_rewards import exact, formatted, overlong, partial, strict

RIGHT = [Call("add", {"a": 1, "b": [1, 2]}), Call("mul", {"x": 2.0})]


def block(name: str, **arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


GOOD = block("add", a=1, b=[1, 2]) + block("mul", x=2.0)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (GOOD, 1.0),
        (block("mul", x=2.0) + block("add", b=[1, 2], a=1), 1.0),  # the order of calls says nothing
        (block("add", a=1, b=[2, 1]) + block("mul", x=2.0), 0.0),
        (block("add", a=True, b=[1, 2]) + block("mul", x=2.0), 0.0),
        (block("add", a=1.0, b=[1, 2]) + block("mul", x=2.0), 0.0),
        (block("add", a=1, b=[1, 2]) + block("mul", x=2), 0.0),
        (GOOD + block("mul", x=2.0), 0.0),
        (GOOD + "<tool_call>", 0.0),
        ("", 0.0),
        (f"<think>{GOOD}</think>", 0.0),  # thought, not said
        (f"<think>{GOOD}", 0.0),
    ],
)
def test_exact(reply: str, value: float) -> None:
    assert exact(reply, RIGHT) == value


def test_where_no_call_is_right_silence_pays_and_a_broken_call_does_not() -> None:
    for reward in (exact, partial):
        assert reward("Nothing to do.", []) == 1.0
        assert reward(GOOD, []) == 0.0
        assert reward("<tool_call>{", []) == 0.0


def test_strict_wants_a_thought_before_the_calls() -> None:
    assert strict(f"<think>I add.</think>\n{GOOD}", RIGHT) == 1.0
    assert strict(f"I add.</think>\n{GOOD}", RIGHT, supplied="<think>\n") == 1.0
    assert strict(f"I add.</think>\n{GOOD}", RIGHT) == 0.0  # the trap: the template supplied the mark, and nobody said so
    assert strict(GOOD, RIGHT) == 0.0
    assert strict(f"<think>a</think><think>b</think>{GOOD}", RIGHT) == 0.0
    assert strict("<think>Nothing.</think>No.", []) == 1.0
    assert formatted(f"<think>a</think>{block('any')}") == 1.0
    assert formatted("<think>a</think><tool_call>") == 0.0


def test_partial_by_hand() -> None:
    """Of two right calls: the name and one of two arguments are 0.75, another name 0."""
    assert partial(GOOD, RIGHT) == 1.0
    assert partial(block("add", a=1, b=[2, 1]) + block("div", x=2.0), RIGHT) == pytest.approx(0.75 / 2)
    assert partial(block("add", a=1, b=[1, 2]), RIGHT) == 0.5
    assert partial(GOOD + block("add", a=9), RIGHT) == pytest.approx(2 / 3)
    assert partial(block("mul"), [Call("mul", {})]) == 1.0
    assert partial("no", RIGHT) == 0.0


def test_a_right_call_is_not_taken_by_one_that_is_half_right() -> None:
    half, whole = block("add", a=1, b=[9]), block("add", a=1, b=[1, 2])
    assert partial(half + whole, RIGHT[:1]) == 0.5 == partial(whole + half, RIGHT[:1])


def test_overlong_by_hand() -> None:
    assert [overlong(tokens, 100, 20) for tokens in (10, 80, 90, 100, 500)] == [0.0, 0.0, -0.5, -1.0, -1.0]
