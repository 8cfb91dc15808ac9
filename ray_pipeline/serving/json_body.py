"""Bytes of a request to plain values, strictly: what a JSON text cannot mean twice, and nothing that harms what comes behind.

Refused: other encodings than UTF-8, half surrogate pairs (tokenizers fail on them), NaN and infinities (no JSON), a name given twice in an object
(which of the two counts is anybody's guess), numbers of hundreds of digits, thousands of levels.

Trap: Python's parser recurses; a text of brackets alone ends in a RecursionError, which is an answer here and no crash.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from ray_pipeline.serving.request_error import RequestError

_DIGITS: Final = 64
_LEVELS: Final = 64
_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def strict_json(body: bytes) -> Any:
    """The value that `body` holds."""
    if not body.strip():
        raise RequestError("empty_input", "the body is empty; send a JSON object")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise RequestError("invalid_json", f"the body is not UTF-8: {problem.reason} at byte {problem.start}") from problem
    try:
        value = json.loads(text, parse_constant=_no_number, parse_int=_whole_number, parse_float=_fraction, object_pairs_hook=_once_each)
    except RecursionError as problem:
        raise RequestError("invalid_json", f"the body is nested more than {_LEVELS} levels deep") from problem
    except json.JSONDecodeError as problem:
        raise RequestError("invalid_json", f"the body is not JSON: {problem.msg} at line {problem.lineno}, column {problem.colno}") from problem
    _check_depth(value)
    if _ESCAPED_HALF.search(body):
        _check_texts(value, "")
    return value


def _no_number(name: str) -> NoReturn:
    raise RequestError("invalid_json", f"{name} is not a JSON number")


def _whole_number(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise RequestError("invalid_json", f"a number of {len(digits)} digits; {_DIGITS} are the most")
    return int(digits)


def _fraction(digits: str) -> float:
    if len(digits) > 10 * _DIGITS:
        raise RequestError("invalid_json", f"a number of {len(digits)} characters; {10 * _DIGITS} are the most")
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise RequestError("invalid_json", f"{digits[:20]} is too large for a number")
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # add gives None
        raise RequestError("invalid_request", f"{twice[:80]!r} is given twice", twice[:80])
    return found


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_LEVELS):
        level = [inner for one in level if isinstance(one, dict | list) for inner in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return
    raise RequestError("invalid_json", f"the body is nested more than {_LEVELS} levels deep")


def _check_texts(value: Any, where: str) -> None:
    if isinstance(value, str):
        if _HALF_PAIR.search(value):
            raise RequestError("invalid_request", "the text holds half a surrogate pair, which is no character", where or None)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_texts(name, where)
            _check_texts(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            _check_texts(inner, f"{where}.{at}" if where else str(at))
