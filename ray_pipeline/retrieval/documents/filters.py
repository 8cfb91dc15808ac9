"""Filters on fields of documents, from JSON to a yes or no for each document.

    {"subject": "fractions"}                          equal
    {"subject": ["fractions", "ratio"]}               any of
    {"year": {"gte": 2000, "lt": 2010}}               gt, gte, lt, lte, ne, in, exists
    {"and": [...]}, {"or": [...]}, {"not": {...}}     together; several names in one object are an `and`

A document without the field matches nothing that is asked of it, `ne` and `not` included in the plain sense: `{"year": {"ne": 2000}}`
keeps documents with another year, `{"not": {"year": 2000}}` keeps those without a year too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import PipelineError

Mask = NDArray[np.bool_]
_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "gt": pc.greater,
    "gte": pc.greater_equal,
    "lt": pc.less,
    "lte": pc.less_equal,
    "ne": pc.not_equal,
}
_OPERATORS: Final = (*_COMPARE, "in", "exists")
_DEEPEST: Final = 8
_MOST_VALUES: Final = 1000


class FilterError(PipelineError):
    """A filter that cannot be understood; `where` is its place in the request."""


def fields_named(given: Any) -> set[str]:
    """The fields a filter asks about; refuses what is no filter."""
    return {name for name, _, _ in _tests(given, "filter", 0)}


def require_known(given: Any, fields: Collection[str]) -> None:
    """Refuses a filter on a field that no document has: it would keep nothing, which is hardly what was meant."""
    unknown = sorted(fields_named(given) - set(fields))
    if unknown:
        raise FilterError(f"filter: no document has a field {unknown[0]!r}; there are {', '.join(sorted(fields)) or 'none'}")


def matches(given: Any, columns: pa.Table, rows: int) -> Mask:
    """[rows] which documents the filter keeps. A field that no document here has matches nothing."""
    _check(given, "filter", 0)
    return _object(given, columns, rows, "filter")


def _check(given: Any, where: str, depth: int) -> None:
    for _ in _tests(given, where, depth):
        pass


def _tests(given: Any, where: str, depth: int) -> Iterator[tuple[str, Any, str]]:
    """Every (field, test, place) of a filter, its shape checked on the way."""
    if depth > _DEEPEST:
        raise FilterError(f"{where}: more than {_DEEPEST} levels deep")
    if not isinstance(given, dict) or not given:
        raise FilterError(f'{where}: an object such as {{"field": "value"}} is needed')
    for name, test in given.items():
        inner = f"{where}.{name}"
        if name in ("and", "or"):
            if not isinstance(test, list) or not test or len(test) > _MOST_VALUES:
                raise FilterError(f"{inner}: a list of 1 to {_MOST_VALUES} filters is needed")
            for number, one in enumerate(test):
                yield from _tests(one, f"{inner}.{number}", depth + 1)
        elif name == "not":
            yield from _tests(test, inner, depth + 1)
        else:
            _check_test(test, inner)
            yield name, test, inner


def _check_test(test: Any, where: str) -> None:
    if isinstance(test, dict):
        unknown = [one for one in test if one not in _OPERATORS]
        if unknown or not test:
            raise FilterError(
                f"{where}: {unknown[0]!r} is no comparison; there are {', '.join(_OPERATORS)}" if unknown else f"{where}: compares nothing"
            )
        for operator, value in test.items():
            if operator == "exists":
                if not isinstance(value, bool):
                    raise FilterError(f"{where}.exists: true or false is needed")
            elif operator == "in":
                _check_values(value, f"{where}.in")
            else:
                _check_value(value, f"{where}.{operator}")
    elif isinstance(test, list):
        _check_values(test, where)
    else:
        _check_value(test, where)


def _check_values(values: Any, where: str) -> None:
    if not isinstance(values, list) or not values or len(values) > _MOST_VALUES:
        raise FilterError(f"{where}: a list of 1 to {_MOST_VALUES} values is needed")
    for number, value in enumerate(values):
        _check_value(value, f"{where}.{number}")


def _check_value(value: Any, where: str) -> None:
    if not isinstance(value, str | int | float | bool):
        raise FilterError(f"{where}: a text, a number, true or false is needed")


def _object(given: Mapping[str, Any], columns: pa.Table, rows: int, where: str) -> Mask:
    kept = np.ones(rows, dtype=bool)
    for name, test in given.items():
        inner = f"{where}.{name}"
        if name == "and":
            kept &= np.logical_and.reduce([_object(one, columns, rows, inner) for one in test])
        elif name == "or":
            kept &= np.logical_or.reduce([_object(one, columns, rows, inner) for one in test])
        elif name == "not":
            kept &= ~_object(test, columns, rows, inner)
        else:
            kept &= _field(columns.column(name) if name in columns.column_names else None, test, rows, inner)
    return kept


def _field(column: pa.ChunkedArray | None, test: Any, rows: int, where: str) -> Mask:
    if not isinstance(test, dict):
        return _any_of(column, test if isinstance(test, list) else [test], rows)
    kept = np.ones(rows, dtype=bool)
    for operator, value in test.items():
        if operator == "exists":
            there = np.zeros(rows, dtype=bool) if column is None else _mask(pc.is_valid(column))
            kept &= there == value
        elif operator == "in":
            kept &= _any_of(column, value, rows)
        elif column is None:
            kept[:] = False
        else:
            kept &= _mask(_COMPARE[operator](column, _scalar(column, value, f"{where}.{operator}")))
    return kept


def _any_of(column: pa.ChunkedArray | None, values: list[Any], rows: int) -> Mask:
    """Equal to any of the values; one of another type equals nothing."""
    if column is None:
        return np.zeros(rows, dtype=bool)
    alike = [value for value in values if _same_kind(column.type, value)]
    if pa.types.is_integer(column.type):
        alike = [int(value) for value in alike if float(value).is_integer() and abs(value) < 1 << 63]
    return _mask(pc.is_in(column, value_set=pa.array(alike, column.type), skip_nulls=True))


def _scalar(column: pa.ChunkedArray, value: Any, where: str) -> pa.Scalar:
    if not _same_kind(column.type, value):
        raise FilterError(f"{where}: the field holds {column.type}, and {value!r} cannot be compared with that")
    return pa.scalar(float(value) if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) else value)


def _same_kind(kind: pa.DataType, value: Any) -> bool:
    if pa.types.is_boolean(kind) or isinstance(value, bool):
        return pa.types.is_boolean(kind) and isinstance(value, bool)
    return isinstance(value, str) == bool(pa.types.is_string(kind))


def _mask(found: pa.ChunkedArray) -> Mask:
    return np.asarray(pc.fill_null(found, False).to_numpy(), dtype=bool)
