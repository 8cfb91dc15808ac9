"""JSON Lines, streamed: one object a line.

Traps. JSON can spell half of a surrogate pair (`"\\ud800"`), which no UTF-8 file or tokenizer can hold: each becomes U+FFFD
and is counted. Python's JSON reader takes `NaN` and `Infinity`, which are not JSON: refused. Of a key that occurs twice the
last value holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ray_pipeline.data.files import byte_lines, decoded, writing
from ray_pipeline.data.row import Row, kind_of
from ray_pipeline.errors import DataError

_SURROGATE = re.compile("[\ud800-\udfff]")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON; write null or a number")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def json_rows(path: str) -> Iterator[Row]:
    """The rows of a JSON Lines file, in order, one object a line; blank lines are skipped."""
    return (row for row, _ in json_rows_with_text(path))


def json_rows_with_text(path: str) -> Iterator[tuple[Row, str]]:
    """The same, each with its line as it stands."""
    for number, line in byte_lines(path):
        text = decoded(line, path, number)
        try:
            value = _decode(text)
        except (ValueError, RecursionError) as problem:
            raise DataError.at(path, number, f"this is not JSON: {problem}") from problem
        if not isinstance(value, dict):
            raise DataError.at(path, number, f"the line holds {kind_of(value)}, not an object", 'write {"name": value, ...}')
        # A lone surrogate can only come from an escape, so nearly every line is done here.
        if b"\\u" in line:
            value, replaced = _without_surrogates(value)
            yield Row(path, number, value, replaced), text
        else:
            yield Row(path, number, value), text


def _without_surrogates(value: Any) -> tuple[Any, int]:
    """`value` with each lone surrogate in its texts and keys replaced by U+FFFD, and how many there were."""
    if isinstance(value, str):
        return _SURROGATE.subn("\ufffd", value)
    if isinstance(value, list):
        pairs = [_without_surrogates(item) for item in value]
        return [item for item, _ in pairs], sum(count for _, count in pairs)
    if isinstance(value, dict):
        keys = [_without_surrogates(key) for key in value]
        items = [_without_surrogates(item) for item in value.values()]
        cleaned = {key: item for (key, _), (item, _) in zip(keys, items, strict=True)}
        return cleaned, sum(count for _, count in keys) + sum(count for _, count in items)
    return value, 0


def write_json_lines(path: str, rows: Iterable[dict[str, Any]]) -> None:
    """`rows` as JSON Lines in UTF-8; NaN and infinities, which JSON has not, are an error."""
    with writing(path) as stream:
        for number, row in enumerate(rows, start=1):
            try:
                line = json.dumps(row, ensure_ascii=False, allow_nan=False)
            except ValueError as problem:
                raise DataError.at(path, number, f"the row cannot be written: {problem}") from problem
            stream.write(line.encode("utf-8") + b"\n")
