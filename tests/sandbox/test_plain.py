"""Plain values over the wall: what goes comes back the same, what is not plain is named, what is forged is refused."""

from __future__ import annotations

import enum
import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ray_pipeline.sandbox.inside.plain import MalformedError, UnspeakableError, decode, encode

scalars = (
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False)
    | some.text()
    | some.binary()
    | some.complex_numbers(allow_nan=False)
)
hashable = some.recursive(scalars, lambda inner: some.tuples(inner, inner) | some.frozensets(inner, max_size=3), max_leaves=5)
values = some.recursive(
    scalars,
    lambda inner: some.lists(inner) | some.tuples(inner) | some.dictionaries(hashable, inner, max_size=4) | some.sets(hashable, max_size=4),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of one kind at every depth: 1, 1.0 and True are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    if isinstance(one, set | frozenset):
        return one == other
    return repr(one) == repr(other)


@settings(max_examples=60)
@given(values)
def test_a_value_comes_back(value: Any) -> None:
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize(
    "value",
    [math.inf, -math.inf, -0.0, 2**70, "\ud800", deque([1, (2,)]), range(3, 9, 2), bytearray(b"x"), {(1, 2): {3}}, [True, 1, 1.0]],
)
def test_odd_values_come_back(value: Any) -> None:
    assert same(decode(encode(value)), value)


def test_integers_of_any_length_come_back() -> None:
    assert decode(encode([-(2**40_000), {2**50_000}])) == [-(2**40_000), {2**50_000}]


def test_nan_comes_back() -> None:
    assert math.isnan(decode(encode(math.nan)))


def test_what_inherits_goes_as_what_it_inherits_from() -> None:
    pair = namedtuple("pair", "a b")
    assert decode(encode([Counter("aab"), OrderedDict(a=1), defaultdict(int, b=2), pair(1, 2), enum.IntEnum("E", "A B")(2)])) == [
        {"a": 2, "b": 1},
        {"a": 1},
        {"b": 2},
        (1, 2),
        2,
    ]


@pytest.mark.parametrize(
    ("value", "named"),
    [(print, "builtin_function"), (iter([]), "iterator"), (object(), "object"), ({1: [lambda: 0]}, "function"), (enum.Enum("E", "A"), "EnumType")],
)
def test_what_is_not_plain_is_named(value: Any, named: str) -> None:
    with pytest.raises(UnspeakableError, match=named):
        encode(value)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff", b'{"t": "tuple"}', b'{"t": "code", "v": []}', b'{"t": "tuple", "v": 3}', b'{"t": "set", "v": [[]]}',
        b'{"t": "dict", "v": [[1]]}', b'{"t": "int", "v": [1]}', b'{"t": "bytes", "v": "xy"}', b'{"t": "complex", "v": ["a"]}',
        b'{"t": "range", "v": [1.5]}', b'{"t": ["x"], "v": 0}', b"[" * 100_000, b"9" * 5_000,
    ],
)  # fmt: skip
def test_forged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(data)


def test_equal_hashes_are_refused_before_a_table_is_filled() -> None:
    forged = ", ".join(str(n * (2**61 - 1)) for n in range(100_000))
    for kind in ("set", "frozenset"):
        with pytest.raises(MalformedError, match="equal hashes"):
            decode(f'{{"t": "{kind}", "v": [{forged}]}}'.encode())
