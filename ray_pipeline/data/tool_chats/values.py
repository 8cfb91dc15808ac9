"""Values of a function's parameters: how they are drawn, how they are said in a request, and their JSON schema.

What is said determines the value: texts and numbers stand in the request as they stand in the call; a flag is said in words of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ray_pipeline.data.draw import Draw

_DIGIT, _LETTER = "#", "@"
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which look like digits


class Values(Protocol):
    """The values that one parameter can have."""

    def draw(self, draw: Draw) -> Any: ...

    def said(self, value: Any) -> str: ...

    def schema(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Words:
    """One of a pool of texts; the schema does not name the pool."""

    pool: Sequence[str]

    def draw(self, draw: Draw) -> str:
        return draw.pick(self.pool)

    def said(self, value: str) -> str:
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True)
class Choice:
    """One of a few texts, which the schema names."""

    options: Sequence[str]

    def draw(self, draw: Draw) -> str:
        return draw.pick(self.options)

    def said(self, value: str) -> str:
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options)}


@dataclass(frozen=True)
class Code:
    """A text such as "AB-1234": `form` has # for a digit and @ for a letter."""

    form: str

    def draw(self, draw: Draw) -> str:
        pools = {_DIGIT: "0123456789", _LETTER: _LETTERS}
        return "".join(draw.pick(pools.get(sign, sign)) for sign in self.form)

    def said(self, value: str) -> str:
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True)
class Whole:
    """A whole number from low to high in steps."""

    low: int
    high: int
    step: int = 1

    def draw(self, draw: Draw) -> int:
        return self.low + self.step * draw.whole(0, (self.high - self.low) // self.step)

    def said(self, value: int) -> str:
        return str(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer"}


@dataclass(frozen=True)
class Number:
    """A number from low to high, `per` of them to a whole one. Whole ones are written without a point."""

    low: int
    high: int
    per: int

    def draw(self, draw: Draw) -> int | float:
        parts = draw.whole(self.low * self.per, self.high * self.per)
        return parts / self.per if parts % self.per else parts // self.per

    def said(self, value: int | float) -> str:
        return json.dumps(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "number"}


@dataclass(frozen=True)
class Flag:
    """True or false, said in the words for each: "on" and "off"."""

    yes: str
    no: str

    def draw(self, draw: Draw) -> bool:
        return draw.pick((True, False))

    def said(self, value: bool) -> str:
        return self.yes if value else self.no

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Several:
    """A list of different texts of a pool, in the order in which they are said."""

    pool: Sequence[str]
    fewest: int = 1
    most: int = 3

    def draw(self, draw: Draw) -> list[str]:
        return list(draw.some(self.pool, draw.whole(self.fewest, self.most)))

    def said(self, value: Sequence[str]) -> str:
        return listing(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True)
class Nested:
    """An object whose fields are all required; `form` says them."""

    fields: Mapping[str, Values]
    form: str

    def draw(self, draw: Draw) -> dict[str, Any]:
        return {name: values.draw(draw) for name, values in self.fields.items()}

    def said(self, value: Mapping[str, Any]) -> str:
        return self.form.format(**{name: values.said(value[name]) for name, values in self.fields.items()})

    def schema(self) -> dict[str, Any]:
        properties = {name: values.schema() for name, values in self.fields.items()}
        return {"type": "object", "properties": properties, "required": list(self.fields)}


def listing(items: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *front, last = items
    return f"{', '.join(front)} and {last}" if front else last
