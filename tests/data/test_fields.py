"""Fields of documents: what may be kept, and as which type."""

from __future__ import annotations

from typing import Any

import pytest

from ray_pipeline.data.fields import check_fields, field_columns, fields_among
from ray_pipeline.errors import DataError


@pytest.mark.parametrize(
    ("fields", "message"),
    [([1], "an object"), ({"and": 1}, "no field may be called 'and'"), ({"a": [1]}, "field 'a' is list"), ({"a": 2**70}, "does not fit 64 bits")],
)
def test_fields_that_cannot_be_kept_are_named(fields: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"here: .*{message}"):
        check_fields(fields, "here")


def test_nulls_are_left_out() -> None:
    assert check_fields({"a": None, "b": 0}, "here") == {"b": 0}


def test_columns_have_one_type_each() -> None:
    columns = field_columns([{"n": 1, "x": 1, "y": True}, {}, {"n": 0.5, "x": "one", "y": False}])
    assert columns.to_pydict() == {"n": [1.0, None, 0.5], "x": ["1", None, "one"], "y": [True, None, False]}
    assert field_columns([{}, {}]).num_columns == 0


def test_published_metadata_gives_what_can_be_filtered_by() -> None:
    assert fields_among({"year": 2015, "author": ["a"], "not": 1, "url": "u", "none": None, "big": 2**70}) == '{"url": "u", "year": 2015}'
    assert fields_among({}) is None
    assert fields_among("text") is None
