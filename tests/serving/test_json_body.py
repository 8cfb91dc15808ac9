"""Hostile bodies: each is refused for what it is, fast, and nothing else is."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.serving.json_body import strict_json
from ray_pipeline.serving.request_error import RequestError

HOSTILE: list[tuple[bytes, str, str]] = [
    (b"", "empty_input", "empty"),
    (b" \n\t", "empty_input", "empty"),
    (b"\xff\xfe{}", "invalid_json", "not UTF-8"),
    (b'{"a": "\xc3\x28"}', "invalid_json", "not UTF-8"),
    (b'{"a": "\xed\xa0\x80"}', "invalid_json", "not UTF-8"),
    ('{"a": 1}'.encode("utf-16"), "invalid_json", "not UTF-8"),
    (b"{", "invalid_json", "line 1, column 2"),
    (b'{"a": 1,}', "invalid_json", "not JSON"),
    (b"{'a': 1}", "invalid_json", "not JSON"),
    (b'{"a": 1} {"b": 2}', "invalid_json", "Extra data"),
    (b'{"a": NaN}', "invalid_json", "NaN is not a JSON number"),
    (b'{"a": -Infinity}', "invalid_json", "Infinity"),
    (b'{"a": 1e999}', "invalid_json", "too large"),
    (b'{"a": ' + b"9" * 5000 + b"}", "invalid_json", "5000 digits"),
    (b'{"a": 0.' + b"9" * 100_000 + b"}", "invalid_json", "characters"),
    (b'{"a": 1, "a": 2}', "invalid_request", "'a' is given twice"),
    (b'{"x": {"a": 1, "b": 2, "a": 3}}', "invalid_request", "given twice"),
    (b'{"a": "\\ud800"}', "invalid_request", "half a surrogate pair"),
    (b'{"a": ["x", "\\udc00y"]}', "invalid_request", "half a surrogate pair"),
    (b'{"\\ud800": 1}', "invalid_request", "half a surrogate pair"),
    (b'{"a": "line\nbreak"}', "invalid_json", "control character"),
    (b'{"a": "\x00"}', "invalid_json", "control character"),
    (b"[" * 100_000, "invalid_json", "levels deep"),
    (b"[" * 100_000 + b"]" * 100_000, "invalid_json", "levels deep"),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "invalid_json", "levels deep"),
    (b"[" * 65 + b"1" + b"]" * 65, "invalid_json", "levels deep"),
    (b"nul", "invalid_json", "not JSON"),
]


@pytest.mark.parametrize(("body", "code", "said"), HOSTILE, ids=[f"{number}" for number in range(len(HOSTILE))])
def test_hostile_bodies(body: bytes, code: str, said: str) -> None:
    started = time.perf_counter()
    with pytest.raises(RequestError, match=said) as caught:
        strict_json(body)
    assert caught.value.code == code
    assert 400 <= caught.value.status < 500
    assert time.perf_counter() - started < 2
    assert len(caught.value.message) < 300


def test_half_a_pair_is_found_where_it_is() -> None:
    with pytest.raises(RequestError) as caught:
        strict_json(b'{"input": ["fine", "\\ud83d"]}')
    assert caught.value.where == "input.1"


@pytest.mark.parametrize(
    "body", [b'"\\ud83d\\ude00"', '"😀"'.encode(), b'{"a": 12345678901234567890}', b"[[[]]]", b"null", b'{"": "\\u0000"}', b"1e-400"]
)
def test_odd_but_right(body: bytes) -> None:
    assert strict_json(body) == json.loads(body)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.integers(-(10**30), 10**30)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
        max_leaves=20,
    )
)
def test_all_else_comes_through(value: Any) -> None:
    for ascii_only in (True, False):
        assert strict_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value
