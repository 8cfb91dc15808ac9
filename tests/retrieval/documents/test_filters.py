"""Filters against plain Python over the same documents, and every way to get one wrong."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.fields import check_fields, field_columns
from ray_pipeline.retrieval.documents.filters import FilterError, fields_named, matches, require_known

DOCS: list[dict[str, Any]] = [
    {"subject": "fractions", "year": 2001, "open": True},
    {"subject": "ratio", "year": 2005, "open": False},
    {"subject": "fractions", "score": 0.5},
    {},
    {"subject": "ängström ½", "year": 2005, "score": 2.0},
]


def kept(given: Any, docs: list[dict[str, Any]] = DOCS) -> list[int]:
    columns = field_columns([check_fields(one, "here") for one in docs])
    return [row for row, yes in enumerate(matches(given, columns, len(docs))) if yes]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"subject": "fractions"}, [0, 2]),
        ({"subject": ["ratio", "ängström ½"]}, [1, 4]),
        ({"year": 2005}, [1, 4]),
        ({"year": 2005.0}, [1, 4]),
        ({"year": "2005"}, []),
        ({"year": {"gte": 2001, "lt": 2005}}, [0]),
        ({"year": {"gt": 2001.5}}, [1, 4]),
        ({"year": {"ne": 2005}}, [0]),
        ({"not": {"year": 2005}}, [0, 2, 3]),
        ({"year": {"exists": False}}, [2, 3]),
        ({"open": True}, [0]),
        ({"open": 1}, []),
        ({"score": {"lte": 1}}, [2]),
        ({"nowhere": 5}, []),
        ({"nowhere": {"exists": False}}, [0, 1, 2, 3, 4]),
        ({"nowhere": {"gt": 1}}, []),
        ({"subject": {"gt": "g"}}, [1, 4]),
        ({"subject": "fractions", "year": 2001}, [0]),
        ({"or": [{"subject": "ratio"}, {"score": 0.5}]}, [1, 2]),
        ({"and": [{"subject": {"in": ["fractions"]}}, {"not": {"open": True}}]}, [2]),
    ],
)
def test_by_hand(given: Any, expected: list[int]) -> None:
    assert kept(given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "an object"),
        ({}, "an object"),
        ({"a": None}, r"filter\.a: a text, a number"),
        ({"a": {}}, r"filter\.a: compares nothing"),
        ({"a": {"near": 3}}, r"'near' is no comparison"),
        ({"a": []}, r"filter\.a: a list of 1 to"),
        ({"a": {"in": "xyz"}}, r"filter\.a\.in: a list"),
        ({"a": {"exists": 1}}, r"filter\.a\.exists: true or false"),
        ({"and": {"a": 1}}, r"filter\.and: a list"),
        ({"or": [{"a": 1}, 5]}, r"filter\.or\.1: an object"),
        ({"year": {"gt": "x"}}, r"filter\.year\.gt: the field holds int64"),
        ({"a": [[1]]}, r"filter\.a\.0: a text"),
    ],
)
def test_what_is_no_filter_is_named(given: Any, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        kept(given)


def test_a_filter_may_not_be_endless() -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(50):
        deep = {"not": deep}
    with pytest.raises(FilterError, match="levels deep"):
        kept(deep)


def test_a_field_that_no_document_has_is_named() -> None:
    require_known({"a": 1, "not": {"b": 2}}, ["b", "a"])
    with pytest.raises(FilterError, match="no document has a field 'c'; there are a, b"):
        require_known({"a": 1, "or": [{"c": 2}]}, ["b", "a"])


def test_the_fields_asked_about() -> None:
    assert fields_named({"a": 1, "or": [{"b": {"gt": 2}}, {"not": {"c": "x"}}]}) == {"a", "b", "c"}


VALUES = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 2.0]))
TESTS = st.recursive(
    st.one_of(
        st.tuples(st.just("eq"), VALUES),
        st.tuples(st.sampled_from(["gt", "gte", "lt", "lte", "ne"]), VALUES),
        st.tuples(st.just("in"), st.lists(VALUES, min_size=1, max_size=3)),
        st.tuples(st.just("exists"), st.booleans()),
    ),
    lambda inner: st.tuples(st.sampled_from(["and", "or", "not"]), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=6,
)


def as_filter(test: Any) -> dict[str, Any]:
    kind, value = test
    if kind in ("and", "or"):
        return {kind: [as_filter(one) for one in value]}
    if kind == "not":
        return {"not": as_filter(value[0])}
    return {"n": value if kind == "eq" else {kind: value}}


def plainly(test: Any, doc: dict[str, Any]) -> bool:
    kind, value = test
    if kind in ("and", "or"):
        return (all if kind == "and" else any)(plainly(one, doc) for one in value)
    if kind == "not":
        return not plainly(value[0], doc)
    if kind == "exists":
        return ("n" in doc) == value
    if "n" not in doc:
        return False
    if kind in ("eq", "in"):
        return doc["n"] in (value if kind == "in" else [value])
    named = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le, "ne": operator.ne}
    return bool(named[kind](doc["n"], value))


@given(st.lists(st.one_of(st.just({}), st.fixed_dictionaries({"n": VALUES})), min_size=1, max_size=8), TESTS)
def test_as_plain_python_says(docs: list[dict[str, Any]], test: Any) -> None:
    assert kept(as_filter(test), docs) == [row for row, doc in enumerate(docs) if plainly(test, doc)]
