"""Standings as rows: JSON Lines, CSV or Parquet, a row a model and benchmark.

Columns: `model`, `benchmark`, `avg_time`, `pass@1`; where they are known `pass@1_low` and `pass@1_high` (a 95% interval),
`problems`, `samples` (a problem), `speed_ratio` with `speed_ratio_low` and `speed_ratio_high`. Other columns are left alone,
so the results of a job can be given as they are.

Trap. All that a CSV file holds is text: its numbers are read as numbers in these columns only, so a model called `7` stays a
name; an empty field is an absent one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

from ray_pipeline.data.files import byte_lines_with_ends, decoded
from ray_pipeline.data.leaderboards.standing import Range, Standing
from ray_pipeline.data.row import Row, kind_of
from ray_pipeline.data.tables import JSON_LINES, table_rows
from ray_pipeline.errors import DataError

NEEDED: Final = ("model", "benchmark", "avg_time", "pass@1")
NUMBERS: Final = ("avg_time", "pass@1", "pass@1_low", "pass@1_high", "problems", "samples", "speed_ratio", "speed_ratio_low", "speed_ratio_high")
CSV: Final = (".csv", ".csv.gz")
ENDINGS: Final = (*CSV, ".parquet", *JSON_LINES)


def read_standings(path: str) -> list[Standing]:
    """The rows of a file, in order."""
    if not path.endswith(ENDINGS):
        raise DataError(f"{path}: results are read from files that end in {', '.join(ENDINGS)}, or in .md for a document")
    found = [_standing(row) for row in (_csv_rows(path) if path.endswith(CSV) else table_rows(path))]
    if not found:
        raise DataError(f"{path}: holds no rows; give one a model and benchmark, with {', '.join(NEEDED)}")
    return found


def _standing(row: Row) -> Standing:
    problems, samples = _whole(row, "problems"), _whole(row, "samples")
    return Standing(
        row.identifier("benchmark"),
        row.identifier("model"),
        _needed(row, "avg_time"),
        _needed(row, "pass@1"),
        f"{row.path}:{row.line}",
        _range(row, "pass@1"),
        problems,
        samples,
        _number(row, "speed_ratio"),
        _range(row, "speed_ratio"),
    )


def _needed(row: Row, name: str) -> float:
    row.require(name)
    value = _number(row, name)
    if value is None:
        raise row.error(f"field {name!r} is empty", "give a number; a model that solved nothing has no time: leave its row out")
    return value


def _number(row: Row, name: str) -> float | None:
    value = row.fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise row.error(f"field {name!r} is {kind_of(value)}, not a number")
    if not isfinite(value):
        raise row.error(f"field {name!r} is {value}", "give a finite number, or leave the row out")
    return float(value)


def _whole(row: Row, name: str) -> int | None:
    value = _number(row, name)
    if value is not None and value != int(value):
        raise row.error(f"field {name!r} is {value:g}, not a whole number")
    return None if value is None else int(value)


def _range(row: Row, name: str) -> Range | None:
    low, high = _number(row, f"{name}_low"), _number(row, f"{name}_high")
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise row.error(f"of {name}_low and {name}_high only one is given", "give both ends of the interval, or neither")
    return Range(low, high)


def _csv_rows(path: str) -> Iterator[Row]:
    lines = (decoded(line, path, number) for number, line in byte_lines_with_ends(path))
    table = csv.DictReader(lines, restkey="", strict=True)
    try:
        for fields in table:
            if "" in fields or None in fields.values():
                raise DataError.at(path, table.line_num, f"the row has not the {len(table.fieldnames or ())} fields of the header")
            yield Row(path, table.line_num, {name: _csv_value(name, text) for name, text in fields.items() if text != ""})
    except csv.Error as problem:
        raise DataError.at(path, table.line_num, f"this is not CSV: {problem}") from problem


def _csv_value(name: str, text: str) -> Any:
    if name not in NUMBERS:
        return text
    try:
        return float(text)
    except ValueError:
        return text  # `_number` says that it is none, with its place
