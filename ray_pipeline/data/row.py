"""One row of a file, which knows its place: the reader takes its fields by methods that check them and say `file:line` when
they are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ray_pipeline.errors import DataError

# Halfway from the largest 32-bit number to the next power of two: from here on, rounding to 32 bits gives infinity.
FLOAT32_LIMIT: Final = 2.0**128 - 2.0**103


@dataclass(slots=True)
class Row:
    """One row of a file: its fields by name and its place. `line` counts from 1 (rows, where a format has no lines)."""

    path: str
    line: int
    fields: dict[str, Any]
    replaced_surrogates: int = 0

    def error(self, problem: str, remedy: str = "") -> DataError:
        return DataError.at(self.path, self.line, problem, remedy)

    def text(self, name: str) -> str:
        """A field that must be text; empty text is text."""
        value = self.optional_text(name)
        if value is None:
            self.require(name)
            raise self.error(f"field {name!r} is null", "every row needs text there")
        return value

    def require(self, name: str) -> None:
        """Refuse a row that has no field `name`; null is a value here."""
        if name not in self.fields:
            raise self.error(f"field {name!r} is missing; the fields are {', '.join(self.fields) or 'none'}")

    def optional_text(self, name: str) -> str | None:
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            raise self.error(f"field {name!r} is {kind_of(value)}, not text")
        return value

    def identifier(self, name: str) -> str:
        """An id: non-empty text, or a whole number, which is written in decimal."""
        value = self.optional_identifier(name)
        return self.text(name) if value is None else value

    def optional_identifier(self, name: str) -> str | None:
        return None if self.fields.get(name) is None else self._as_identifier(self.fields[name], name)

    def texts(self, name: str) -> list[str]:
        """A field that is a list of texts; a single text is a list of one, an absent field the empty list."""
        values = self._list(name)
        for position, value in enumerate(values):
            if not isinstance(value, str):
                raise self.error(f"{name}[{position}] is {kind_of(value)}, not text")
        return values

    def identifiers(self, name: str) -> list[str]:
        return [self._as_identifier(value, f"{name}[{position}]") for position, value in enumerate(self._list(name))]

    def scores(self, name: str) -> list[float | None]:
        """A list of finite numbers, null where a score is not known."""
        values = self._list(name)
        for position, value in enumerate(values):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise self.error(f"{name}[{position}] is {kind_of(value)}, not a number")
            if value is not None and not abs(value) < FLOAT32_LIMIT:
                raise self.error(f"{name}[{position}] is {value}, which is not a finite 32-bit number")
        return values

    def _as_identifier(self, value: object, name: str) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise self.error(f"field {name!r} is {kind_of(value)}; an id is text or a whole number")
        if not value:
            raise self.error(f"field {name!r} is empty; an id needs at least one character")
        return value

    def _list(self, name: str) -> list[Any]:
        value = self.fields.get(name)
        if value is None:
            return []
        return value if isinstance(value, list) else [value]


def kind_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "not a number" if value != value else f"the number {value}"
    for kind, name in ((str, "text"), (list, "a list"), (dict, "an object")):
        if isinstance(value, kind):
            return name
    return type(value).__name__
