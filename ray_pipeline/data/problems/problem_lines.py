"""Files of problems: JSON Lines, plain or compressed, a problem a line, each with an id of its own.

Traps. Inputs of published problems hold `Infinity`, which is not JSON, although Python writes and reads it: here it is a number, unlike in
`data/lines.py`. Half of a surrogate pair, which no program text in UTF-8 can hold, is refused, since another character in its place would be
another input. Python reads no whole number of more than 4300 digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TypeVar

from ray_pipeline.data.files import byte_lines, decoded
from ray_pipeline.data.row import Row, kind_of
from ray_pipeline.errors import DataError

T = TypeVar("T")


def problem_lines(path: str) -> Iterator[Row]:
    """The lines of `path` that are not blank."""
    for number, line in byte_lines(path):
        text = decoded(line, path, number)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise DataError.at(path, number, f"this is not JSON: {problem}") from problem
        if not isinstance(value, dict):
            raise DataError.at(path, number, f"the line holds {kind_of(value)}, not an object", "write a problem a line")
        if b"\\u" in line and any("\ud800" <= character <= "\udfff" for character in json.dumps(value, ensure_ascii=False)):
            raise DataError.at(path, number, "the line holds half of a surrogate pair, which no program can hold", "escape whole characters")
        yield Row(path, number, value)


def each_once(path: str, parsed: Callable[[Row], T]) -> list[T]:
    """What `parsed` makes of every line of `path`, which is one thing for each `task_id`."""
    lines: dict[str, int] = {}
    found = []
    for row in problem_lines(path):
        task_id = row.identifier("task_id")
        if task_id in lines:
            raise row.error(f"task_id {task_id!r} is in line {lines[task_id]} already", "leave one of the two lines")
        lines[task_id] = row.line
        found.append(parsed(row))
    if not found:
        raise DataError(f"{path}: the file holds no problem; a problem is a line with an object of JSON")
    return found


def function_name(row: Row, key: str = "entry_point") -> str:
    """A field that names a function."""
    name = row.text(key)
    if not name.isidentifier():
        raise row.error(f"field {key!r} is {name!r}, which is no name of a function", "write the name that is called")
    return name
