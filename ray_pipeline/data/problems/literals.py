"""Plain values as Python literals: `[(1, 2), {'a': {3}}]`.

JSON has neither tuples nor sets; a literal has, and the standard library reads it without running anything. One value has one text: sets
are written in the order of their elements' texts, dictionaries in their own. A text that is read gives a value of the same types, so what has no
literal is refused: NaN, infinities, frozen sets, numpy's numbers.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from typing import Any, Final

from ray_pipeline.errors import DataError

LONGEST: Final = 16_000_000  # characters: reading takes about a hundred times as many bytes


def literal_of(value: Any, where: object) -> str:
    """`value` as text; `where` is what an error names."""
    kind = type(value)
    if kind in (type(None), bool, str, bytes):
        return repr(value)
    if kind is int and value.bit_length() <= 10_000:  # Python reads no more than 4300 digits
        return repr(value)
    if (kind is float and math.isfinite(value)) or (kind is complex and math.isfinite(value.real) and math.isfinite(value.imag)):
        return repr(value)
    if kind is list:
        return f"[{_joined(value, where)}]"
    if kind is tuple:
        return f"({_joined(value, where)}{',' if len(value) == 1 else ''})"
    if kind is set:
        return f"{{{', '.join(sorted(literal_of(one, where) for one in value))}}}" if value else "set()"
    if kind is dict:
        return f"{{{', '.join(f'{literal_of(key, where)}: {literal_of(one, where)}' for key, one in value.items())}}}"
    shown = f"a number of {value.bit_length()} bits" if kind is int else repr(str(value)[:40])  # no text of such a number can be had
    raise DataError(f"{where}: {shown} ({kind.__name__}) cannot be written as a literal; use finite numbers and Python's own types")


def value_of(text: str, where: object) -> Any:
    """The value that `text` writes."""
    if len(text) > LONGEST:
        raise DataError(f"{where}: a literal of {len(text)} characters; {LONGEST} are read at most")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as problem:
        raise DataError(f"{where}: {text[:40]!r} is not a Python literal: {problem}") from problem


def _joined(values: Iterable[Any], where: object) -> str:
    return ", ".join(literal_of(one, where) for one in values)
