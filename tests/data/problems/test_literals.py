from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.problems.literals import LONGEST, literal_of, value_of
from ray_pipeline.errors import DataError

KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.binary()
VALUES = st.recursive(
    KEYS | st.complex_numbers(allow_nan=False, allow_infinity=False).map(lambda one: complex(one.real + 0.0, one.imag + 0.0)) | st.sets(KEYS),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, with the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, set):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    return repr(one) == repr(other) or (isinstance(one, complex) and one == other)  # a complex number's -0.0 has no literal


@given(VALUES)
def test_values_come_back(value: Any) -> None:
    assert same(value_of(literal_of(value, "here"), "here"), value)


def test_by_hand() -> None:
    value = [(1,), (), {"a": {3, 1}, 2: set()}, b"x", -1.5, True, None, 1 - 2j, {}, "it's"]
    assert literal_of(value, "here") == "[(1,), (), {'a': {1, 3}, 2: set()}, b'x', -1.5, True, None, (1-2j), {}, \"it's\"]"


def test_a_set_of_texts_has_one_text_whatever_the_hashes_are() -> None:
    program = "from ray_pipeline.data.problems.literals import literal_of; import sys; sys.stdout.write(literal_of(set('abcdefgh'), 'x'))"
    told = {
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2", "3")
    }
    assert told == {"{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}"}


@pytest.mark.parametrize("value", [math.nan, math.inf, [(-math.inf,)], complex(0, math.nan), {frozenset()}, np.float64(1), object(), range(3)])
def test_what_has_no_literal_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match="here: .* cannot be written as a literal"):
        literal_of(value, "here")


def test_numbers_that_python_would_not_read_are_refused() -> None:
    assert value_of(literal_of(-(1 << 9_999), "here"), "here") == -(1 << 9_999)
    with pytest.raises(DataError, match=r"here: a number of 20001 bits \(int\) cannot be written"):
        literal_of([1 << 20_000], "here")


@pytest.mark.parametrize(
    "text", ["f(1)", "[1", "__import__('os')", "1 +", "x", "[x for x in ()]", "(" * 300 + ")" * 300, "-" * 5000 + "1", "{[]: 1}", "\0", ""]
)
def test_what_is_no_literal_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:3: calls\[0\]: .* is not a Python literal"):
        value_of(text, "a.jsonl:3: calls[0]")


def test_a_text_that_is_too_long_is_not_read() -> None:
    with pytest.raises(DataError, match="are read at most"):
        value_of(" " * LONGEST + "1", "here")
