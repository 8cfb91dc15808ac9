"""Whether a program's answer is right: evalplus 0.3.1's rules on plain values, so that verdicts compare with published ones.

An answer is right where Python finds it equal to the expected one (`==`), or where it is close: then both are of one type, lists and tuples of
one length, and numpy's `allclose` holds with a relative tolerance of 1e-7 and an absolute one of `atol`. Whether closeness counts:

* `atol` is above 0 in the file; or
* it is 0, and the expected answer is a float or a list or tuple of nothing but floats: then it is 1e-6, *and stays so for all later calls of
  the same run*, whatever they answer. `comparisons_in_order` says which comparison each call has.

Lax, and kept: True == 1 == 1.0 at any depth, since `==` says so; after the first float a whole number may be off by 1e-7 of itself
(100000000 for 100000001); closeness of nested lists broadcasts, so [[1.0], [2.0]] is close to [[1.0, 1.0], [2.0, 2.0]]. Strict, and kept: a tuple is
no list; NaN is never right; 3 is not close to 3.0000001, only equal to 3.0; floats inside dictionaries, and nested ones before any plain float,
have to be exact.

Differences. Numbers are close to numbers only: evalplus takes [[]] for any [x], since nothing at all is far from nothing. evalplus finds every
answer to HumanEval/32 wrong (it leaves the loop before it counts); here a root is right. It compares live objects, where a class of the solution
can call itself equal to anything; here both sides are plain values. It takes one NaN inside two lists for equal where it happens to be the same
object. Where comparing raises before evalplus gets to the float, it lowers no later bar: then single calls may be judged differently, and the run
is wrong by both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from ray_pipeline.data.problems.problem import Comparison

_FLOAT_ATOL: Final = 1e-6
_RTOL: Final = 1e-7
# What comparing plain values of different shapes raises: no number, not hashable, not iterable, ragged, too large, too deep.
_INCOMPARABLE: Final = (TypeError, ValueError, ArithmeticError, RecursionError, MemoryError)
_MOST_BROADCAST: Final = 1_000_000  # numbers: an answer of a few bytes could be broadcast to terabytes


def as_expected(answer: Any, comparison: Comparison) -> Any:
    """What the canonical program answered, as `answers_agree` expects it. The answers of `not_none` need not be plain values."""
    return answer is not None if comparison.kind == "not_none" else answer


def as_answered(answer: Any, comparison: Comparison) -> Any:
    """What is needed of an answer to judge it; doing it twice changes nothing."""
    return answer is not None if comparison.kind == "not_none" and not isinstance(answer, bool) else answer


def comparisons_in_order(expected: Sequence[Any], comparison: Comparison) -> tuple[Comparison, ...]:
    """The comparison of each call of one run. evalplus runs base calls and the others apart: ask for each on its own."""
    found = []
    for one in expected:
        found.append(comparison)
        if comparison.atol == 0 and comparison.kind != "root" and _floats(one):
            comparison = replace(comparison, atol=_FLOAT_ATOL)
    return tuple(found)


def answers_agree(got: Any, expected: Any, arguments: Sequence[Any], comparison: Comparison) -> bool:
    """Whether `got` is right where `expected` is. `arguments` are those of the call, as they were before it."""
    try:
        if comparison.kind == "root":
            return _is_root(got, arguments, comparison.atol)
        if _right(got, expected, arguments, comparison):
            return True
        atol = _FLOAT_ATOL if comparison.atol == 0 and _floats(expected) else comparison.atol
        return atol != 0 and _close(got, expected, atol)
    except _INCOMPARABLE:
        return False  # values that cannot be compared are not the same


def _right(got: Any, expected: Any, arguments: Sequence[Any], comparison: Comparison) -> bool:
    """Whether `got` is right without being close."""
    kind = comparison.kind
    if kind == "set":
        return _same_members(got, expected)
    if kind == "not_none":
        return bool(as_answered(got, comparison) == expected)
    if kind == "anything" or bool(got == expected):
        return True
    if kind == "or_zero":
        return bool(got == 0)
    if kind == "pyramid_surface":
        return bool(abs(got - _pyramid_surface(*arguments)) <= comparison.atol)
    if kind == "digit_distance":
        return bool(got == _digit_distance(*arguments))
    return False


def _same_members(got: Any, expected: Any) -> bool:
    """As sets, without making one of a program's answer: that could take all memory, or for ever."""
    right, seen = set(expected), set()
    for one in got:
        if one not in right:
            return False
        seen.add(one)
    return len(seen) == len(right)


def _close(got: Any, expected: Any, atol: float) -> bool:
    if type(got) is not type(expected) or (isinstance(expected, list | tuple) and len(got) != len(expected)):
        return False
    ours, theirs = _shape(got), _shape(expected)
    if ours is None or theirs is None or (ours != theirs and math.prod(np.broadcast_shapes(ours, theirs)) > _MOST_BROADCAST):
        return False
    return bool(np.allclose(got, expected, rtol=_RTOL, atol=atol))


def _shape(value: Any) -> tuple[int, ...] | None:
    """Of nested lists of nothing but numbers; None where it is anything else, or empty somewhere."""
    if isinstance(value, int | float | complex):
        return ()
    if not isinstance(value, list | tuple) or not value:
        return None
    shapes = {_shape(one) for one in value}
    inner = shapes.pop()
    return None if shapes or inner is None else (len(value), *inner)


def _floats(value: Any) -> bool:
    """Whether it is a float, or a list or tuple of at least one and nothing else."""
    return isinstance(value, float) or (isinstance(value, list | tuple) and bool(value) and all(isinstance(one, float) for one in value))


def _pyramid_surface(base: float, height: float) -> int:
    """MBPP 581: a square pyramid, whose height some take for its slant; this one is from the base to the apex."""
    slant = math.sqrt((base / 2) ** 2 + height**2)
    return round(base**2 + 2 * (base * slant))


def _digit_distance(one: int, other: int) -> int:
    """MBPP 558: the sum of the differences of digits that stand in the same place; the shorter number begins with zeros."""
    width = max(len(str(one)), len(str(other)))
    return sum(abs(int(left) - int(right)) for left, right in zip(str(one).zfill(width), str(other).zfill(width), strict=True))


def _is_root(got: Any, arguments: Sequence[Any], atol: float) -> bool:
    """HumanEval 32: the polynomial with these coefficients, the constant first, is 0 there."""
    (coefficients,) = arguments
    return bool(abs(sum(coefficient * math.pow(got, power) for power, coefficient in enumerate(coefficients))) <= atol)
