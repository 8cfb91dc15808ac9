"""Answers held against expected ones: by hand, each kind, and against a slow oracle that is written after the documented rule."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest

from ray_pipeline.data.problems.problem import Comparison, Kind
from ray_pipeline.metrics.code_answers import answers_agree, as_answered, as_expected, comparisons_in_order

NAN, INF = math.nan, math.inf


def agree(got: Any, expected: Any, atol: float = 0.0) -> bool:
    return answers_agree(got, expected, (), Comparison("equal", atol))


@pytest.mark.parametrize(
    ("got", "expected", "right"),
    [
        (1, 1, True), (1, 2, False), ("a", "a", True), ("a", "A", False), (None, None, True), (None, False, False),
        (b"a", b"a", True), (b"a", "a", False),
        # what == makes equal is equal, at any depth
        (True, 1, True), (1.0, True, True), ([1, [0]], [True, [False]], True), (3, 3.0, True), (3 + 0j, 3, True), ({"a": 1.0}, {"a": 1}, True),
        # containers
        ([1, 2], (1, 2), False), ((1, 2), (1, 2), True), ([2, 1], [1, 2], False), ({1, 2}, {2, 1}, True),
        (frozenset({1}), {1}, True), ([], (), False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), ([(1,)], [[1]], False), ([1], [1, 1], False),
        # floats: 1e-6 + 1e-7 of the expected one
        (0.1 + 0.2, 0.3, True), (1.000001, 1.0, True), (1.0000012, 1.0, False), (1e9 + 99.0, 1e9, True), (1e9 + 101.0, 1e9, False), (1e-7, 0.0, True),
        ([0.3], [0.1 + 0.2], True), ((1.0, 2.0000001), (1.0, 2.0), True), ([1.0, 2.0], (1.0, 2.0), False), ([1.0], [1.0, 1.0], False),
        # only floats, and only where all that is expected is floats
        (3.0000001, 3, False), (3, 3.0000001, False), (True, 1.0000001, False), ([1.0000001], [1], False), ([1, 2.0000001], [1, 2.0], False),
        ([1.0000001, 2.0], [1.0, 2], False), ([1, 2.0000001], [1.0, 2.0], True), (["1.0"], [1.0], False), ([None], [1.0], False),
        # nested ones have to be exact
        ([[0.3]], [[0.1 + 0.2]], False), ({"a": 0.3}, {"a": 0.1 + 0.2}, False), ([[0.3]], [[0.3]], True),
        ({0.3}, {0.1 + 0.2}, False), (1j, 1.0000001j, False),
        # what is no number
        (NAN, float("nan"), False), (0.0, NAN, False), (NAN, 0.0, False), ([1.0, NAN], [1.0, float("nan")], False),
        (INF, INF, True), (-INF, INF, False),
        (1e308, INF, False), (INF, 1e308, False), ([INF, 1.0], [INF, 1.0000001], True),
        # what cannot be compared is not equal
        ("a", 1.0, False), ([], [1.0], False), ({}, 1.0, False), ([[1.0], 2.0], [1.0, 2.0], False), ([10**400], [1.0], False), (10**400, 1.0, False),
    ],
)  # fmt: skip
def test_equal(got: Any, expected: Any, right: bool) -> None:
    assert agree(got, expected) is right


@pytest.mark.parametrize(
    ("got", "expected", "right"),
    [
        (4.00009, 4.0, True), (4.0002, 4.0, False), ([[4.00009]], [[4.0]], True), ([4.00009, 1], [4.0, 1], True), (4, 4.00005, False),
        (100000001, 100000000, True),
        (100000111, 100000000, False), ((1.0,), [1.0], False), ({"a": 4.00009}, {"a": 4.0}, False), (1j, 1.00001j, True), ("a", "a", True),
        ("a", "b", False),
        ([[1.0], [2.0]], [[1.0, 1.0], [2.0, 2.0]], True), (None, 0.0, False), (NAN, NAN + 0, False), ([True], [1.00001], True),
    ],
)  # fmt: skip
def test_equal_with_a_tolerance_of_its_own(got: Any, expected: Any, right: bool) -> None:
    assert agree(got, expected, 1e-4) is right


def test_a_value_too_deep_to_compare_is_not_equal() -> None:
    def deep(levels: int, inside: Any) -> Any:
        for _ in range(levels):
            inside = [inside]
        return inside

    assert agree(deep(50, 1), deep(50, 1))
    assert not agree(deep(100_000, 1), deep(100_000, 2))


def kind(got: Any, expected: Any, which: Kind, arguments: Sequence[Any] = (), atol: float = 0.0) -> bool:
    return answers_agree(got, expected, arguments, Comparison(which, atol))


def test_sets() -> None:
    assert kind((2, 1, 1), [1, 2], "set") and kind([], (), "set") and kind("ab", ["b", "a"], "set")
    assert not kind([1], [1, 2], "set") and not kind(5, [5], "set") and not kind(None, [], "set")
    assert not kind([[1]], [[1]], "set"), "lists are in no set, so even equal ones are wrong"
    assert kind([1.0000001, 2.0], [1.0, 2.0], "set"), "not the same set, but close in their order"
    assert not kind([2.0, 1.0000001], [1.0, 2.0], "set")


def test_something_or_nothing() -> None:
    match = object()
    comparison = Comparison("not_none")
    assert [as_expected(one, comparison) for one in (match, None, True, False, "")] == [True, False, True, True, True]
    assert [as_answered(one, comparison) for one in (match, None, True, False, "")] == [True, False, True, False, True]
    assert kind(match, True, "not_none") and not kind(match, False, "not_none")
    assert kind(None, False, "not_none") and not kind(None, True, "not_none")
    assert kind(False, False, "not_none") and not kind(False, True, "not_none")
    assert as_expected([1], Comparison()) == as_answered([1], Comparison()) == [1]


def test_tasks_with_several_right_answers() -> None:
    assert kind("whatever", True, "anything")
    assert kind(0, 7, "or_zero") and kind(7, 7, "or_zero") and not kind(6, 7, "or_zero") and not kind(None, 7, "or_zero")
    # base 3, height 4: 9 + 2 * 3 * sqrt(1.5^2 + 4^2) = 9 + 6 * 4.272 = 34.63
    assert kind(35, 33, "pyramid_surface", (3, 4)) and kind(33, 33, "pyramid_surface", (3, 4))
    assert not kind(34, 33, "pyramid_surface", (3, 4)) and not kind("35", 33, "pyramid_surface", (3, 4))
    assert not kind(35.5, 33, "pyramid_surface", (3, 4)) and kind(35.5, 33, "pyramid_surface", (3, 4), atol=0.5)
    # 007 and 123: 1 + 2 + 4
    assert kind(7, 8, "digit_distance", (7, 123)) and kind(8, 8, "digit_distance", (7, 123)) and not kind(6, 8, "digit_distance", (7, 123))
    assert not kind(3, 8, "digit_distance", (-2, 5)), "a sign is no digit"


def test_roots() -> None:
    # 6 - 5x + x^2 is 0 at 2 and at 3, whichever was expected
    coefficients = [6, -5, 1]
    assert kind(2.0, 3.0, "root", (coefficients,), atol=1e-4) and kind(3, None, "root", (coefficients,), atol=1e-4)
    assert kind(2.00009, 3.0, "root", (coefficients,), atol=1e-4) and not kind(2.001, 3.0, "root", (coefficients,), atol=1e-4)
    for wrong in (None, "2", NAN, INF, 1e200, [2.0]):
        assert not kind(wrong, 3.0, "root", (coefficients,), atol=1e-4)


def test_after_a_float_all_is_tolerant() -> None:
    expected = [100000000, 2.5, 100000000, [[1.0]], "a"]
    atols = [one.atol for one in comparisons_in_order(expected, Comparison())]
    assert atols == [0, 0, 1e-6, 1e-6, 1e-6]
    got = [100000001, 2.5000001, 100000001, [[1.0000005]], "a"]
    verdicts = [
        answers_agree(one, other, (), each) for one, other, each in zip(got, expected, comparisons_in_order(expected, Comparison()), strict=True)
    ]
    assert verdicts == [False, True, True, True, True]
    assert [one.atol for one in comparisons_in_order([[], [1.0, 2], (0.5,), 1], Comparison("set"))] == [0, 0, 0, 1e-6]
    assert [one.atol for one in comparisons_in_order([1.0, 1.0], Comparison("equal", 1e-4))] == [1e-4, 1e-4]
    assert comparisons_in_order([1.0, 1.0], Comparison("root")) == (Comparison("root"),) * 2
    assert comparisons_in_order([], Comparison()) == ()


def by_the_rule(got: Any, expected: Any, atol: float) -> bool:
    """The rule of the docstring for scalars and flat lists or tuples of numbers and texts, element by element and without numpy."""
    if got == expected:
        return True
    parts = expected if isinstance(expected, list | tuple) else [expected]
    if atol == 0 and parts and all(isinstance(one, float) for one in parts):
        atol = 1e-6
    if atol == 0 or type(got) is not type(expected):
        return False
    others = got if isinstance(got, list | tuple) else [got]
    if len(others) != len(parts):
        return False
    return all(near(one, other, atol) for one, other in zip(others, parts, strict=True))


def near(one: Any, other: Any, atol: float) -> bool:
    if not isinstance(one, int | float) or not isinstance(other, int | float) or math.isnan(one) or math.isnan(other):
        return False
    if math.isinf(one) or math.isinf(other):
        return one == other
    return abs(float(one) - float(other)) <= atol + 1e-7 * abs(float(other))


def test_the_slow_oracle_agrees() -> None:
    draw = random.Random(7)
    scalars = (
        0,
        1,
        -1,
        True,
        False,
        0.0,
        1.0,
        1.0000005,
        1.00001,
        2.5,
        2.5000001,
        1e9,
        1e9 + 50,
        10**9,
        10**9 + 50,
        INF,
        -INF,
        float("nan"),
        "a",
        None,
    )

    def value() -> Any:
        if draw.random() < 0.4:
            return draw.choice(scalars)
        items = [draw.choice(scalars[:14]) for _ in range(draw.randrange(4))]
        return items if draw.random() < 0.5 else tuple(items)

    verdicts = []
    for _ in range(20_000):
        expected, atol = value(), draw.choice((0.0, 0.0, 1e-4))
        got = value() if draw.random() < 0.5 else altered(expected, draw)
        verdicts.append(by_the_rule(got, expected, atol))
        assert agree(got, expected, atol) is verdicts[-1], (got, expected, atol)
    assert 0.2 < sum(verdicts) / len(verdicts) < 0.8


def altered(value: Any, draw: random.Random) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(altered(one, draw) for one in value)
    if type(value) in (int, float) and abs(value) < 1e8:
        return value + draw.choice((0, 0, 0.0, 5e-7, 5e-5, 1))
    return value
