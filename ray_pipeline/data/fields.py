"""Fields of documents (`{"subject": "fractions", "year": 2021}`): kept as JSON beside the corpus, and as columns that filters are
evaluated on.

A field holds texts, numbers or truth values. Whole numbers and fractions together are fractions; where documents disagree further,
the field is text in all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import pyarrow as pa

from ray_pipeline.errors import DataError

Value: TypeAlias = str | int | float | bool
Fields: TypeAlias = Mapping[str, Value]
COLUMN: Final = "fields"
RESERVED: Final = ("and", "or", "not")
_INT64: Final = 1 << 63
_TYPES: Final = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}


def check_fields(given: Any, where: object) -> Fields:
    """`given` as fields: a flat object of texts, numbers and truth values; nulls are left out."""
    if not isinstance(given, dict):
        raise DataError(f"{where}: fields are an object of names and values, not {type(given).__name__}")
    kept: dict[str, Value] = {}
    for name, value in given.items():
        if not name or name in RESERVED:
            raise DataError(f"{where}: no field may be called {name!r}")
        if value is None:
            continue
        if type(value) not in _TYPES:
            raise DataError(f"{where}: field {name!r} is {type(value).__name__}; texts, numbers, true and false can be filtered by")
        if isinstance(value, int) and not -_INT64 <= value < _INT64:
            raise DataError(f"{where}: field {name!r} is {str(value)[:20]}..., which does not fit 64 bits; keep it as text")
        kept[name] = value
    return kept


def fields_among(metadata: Any) -> str | None:
    """What of a published corpus's metadata can be a field, as JSON; null where nothing can. Lists and objects stay behind."""
    if not isinstance(metadata, dict):
        return None
    kept = {name: value for name, value in metadata.items() if type(value) in _TYPES and name and name not in RESERVED}
    kept = {name: value for name, value in kept.items() if not isinstance(value, int) or -_INT64 <= value < _INT64}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True) if kept else None


def field_columns(rows: Sequence[Fields]) -> pa.Table:
    """A column a field, null where a document lacks it."""
    kinds: dict[str, set[type]] = {}
    for fields in rows:
        for name, value in fields.items():
            kinds.setdefault(name, set()).add(type(value))
    columns = {name: _column([fields.get(name) for fields in rows], kinds[name]) for name in sorted(kinds)}
    return pa.table(columns) if columns else pa.table({"": pa.nulls(len(rows), pa.bool_())}).select([])


def _column(values: Sequence[Value | None], kinds: set[type]) -> pa.Array:
    if len(kinds) == 1:
        return pa.array(values, _TYPES[next(iter(kinds))])
    if kinds == {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([value if value is None or isinstance(value, str) else json.dumps(value) for value in values], pa.string())


def fields_of_json(text: str | None, where: object) -> Fields:
    """Fields as a table keeps them: JSON text, null for none."""
    try:
        return {} if text is None else check_fields(json.loads(text), where)
    except ValueError as problem:
        raise DataError(f"{where}: its fields are not JSON: {problem}") from problem
