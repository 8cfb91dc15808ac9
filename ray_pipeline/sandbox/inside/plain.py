"""Plain values as bytes, written by one side of a jail's wall and read by the other, neither trusting the other's objects.

JSON carries None, bool, int, float (nan and infinities too), str and list as they are; all else is `{"t": kind, "v": ...}`: tuple, set, frozenset,
dict (a list of pairs), bytes, complex, range, deque, and integers with more digits than Python likes to parse. Subclasses (a Counter, an
IntEnum) are written as what they inherit from: no class of a program's own can be told to the other side. What is none of
these is refused by name.

Reading never runs anything of the writer's: it makes values of the kinds above and refuses the rest. Two traps of untrusted input are closed:
nesting ends in a `MalformedError`, not in a broken interpreter, and sets or dicts of values whose hashes were made equal (integers that
differ by a multiple of 2**61-1) are refused before they take quadratic time.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from typing import Any

SCALARS = frozenset((type(None), bool, int, float, str))
LONG = 10_000  # bits; an integer of more goes in hexadecimal: Python refuses to parse more than 4,300 digits, and would take quadratic time
SAME_HASH = 32  # members of a set or dict that may share one hash
MOST_VALUES = 4_000_000  # in one message: each takes time and memory to make


class UnspeakableError(Exception):
    """A value that is not plain data."""


class MalformedError(Exception):
    """Bytes that are no plain value."""


def encode(value: Any) -> bytes:
    """The value as bytes; `UnspeakableError` names what is not plain."""
    try:
        return json.dumps(_written(value)).encode()
    except RecursionError:
        raise UnspeakableError("a value nested too deeply, or inside itself") from None


def decode(data: bytes) -> Any:
    """The value that was written."""
    if data.count(b",") + data.count(b"[") > MOST_VALUES:
        raise MalformedError(f"more than {MOST_VALUES:,} values")
    try:
        return _read(json.loads(data))
    except RecursionError:
        raise MalformedError("nested too deeply") from None
    except (ValueError, TypeError, KeyError, OverflowError) as problem:
        raise MalformedError(f"no plain value: {problem}") from None


def _written(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        if set(map(type, value)) <= SCALARS and not any(type(one) is int and one.bit_length() > LONG for one in value):
            return value
        return [_written(one) for one in value]
    if kind is int:
        return value if value.bit_length() <= LONG else {"t": "int", "v": hex(value)}
    if kind in SCALARS:
        return value
    for name, parent, parts in KINDS:
        if isinstance(value, parent):
            return {"t": name, "v": parts(value)} if name else _written(parts(value))
    raise UnspeakableError(f"a value of type {kind.__name__}")


KINDS: list[tuple[str | None, type, Any]] = [
    ("tuple", tuple, lambda value: [_written(one) for one in tuple.__iter__(value)]),
    ("dict", dict, lambda value: [[_written(key), _written(inner)] for key, inner in dict.items(value)]),
    ("set", set, lambda value: [_written(one) for one in set.__iter__(value)]),
    ("frozenset", frozenset, lambda value: [_written(one) for one in frozenset.__iter__(value)]),
    ("bytes", bytes, lambda value: bytes.hex(value)),
    ("bytearray", bytearray, lambda value: bytearray.hex(value)),
    ("complex", complex, lambda value: [complex.real.__get__(value), complex.imag.__get__(value)]),
    ("range", range, lambda value: [_written(value.start), _written(value.stop), _written(value.step)]),
    ("deque", deque, lambda value: [_written(one) for one in deque.__iter__(value)]),
    (None, list, lambda value: list(list.__iter__(value))),
    (None, int, lambda value: int.__int__(value)),
    (None, float, lambda value: float.__float__(value)),
    (None, str, lambda value: str.__str__(value)),
]


def _read(form: Any) -> Any:
    if type(form) is list:
        return [_read(one) for one in form] if not set(map(type, form)) <= SCALARS else form
    if type(form) is not dict:
        return form
    if set(form) != {"t", "v"}:
        raise MalformedError(f"an object with {', '.join(sorted(form)) or 'nothing'} instead of t and v")
    kind, inner = form["t"], form["v"]
    if kind in MEMBERS:
        return MEMBERS[kind](_read_all(inner))
    if kind in HASHED:
        return HASHED[kind](_apart(_read_all(inner)))
    if kind == "dict":
        pairs = [(_read(key), _read(value)) for key, value in inner]
        _apart([key for key, _ in pairs])
        return dict(pairs)
    if kind in TEXTS and type(inner) is str:
        return TEXTS[kind](inner)
    raise MalformedError(f"a value of kind {kind!r}")


MEMBERS: dict[str, Any] = {"tuple": tuple, "deque": deque, "complex": lambda parts: complex(*parts), "range": lambda parts: range(*parts)}
TEXTS: dict[str, Any] = {"bytes": bytes.fromhex, "bytearray": bytearray.fromhex, "int": lambda text: int(text, 16)}
HASHED: dict[str, Any] = {"set": set, "frozenset": frozenset}


def _read_all(inner: Any) -> list[Any]:
    if type(inner) is not list:
        raise MalformedError(f"members that are no list but {type(inner).__name__}")
    return [_read(one) for one in inner]


def _apart(members: list[Any]) -> list[Any]:
    """The members, unless so many share a hash that a table of them would be slow to fill."""
    if len(members) > SAME_HASH and Counter(map(hash, members)).most_common(1)[0][1] > SAME_HASH:
        raise MalformedError(f"more than {SAME_HASH} members with equal hashes")
    return members
