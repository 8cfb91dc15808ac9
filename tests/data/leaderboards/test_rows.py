"""Standings read from rows: every format gives the same, and what is wrong is told with its place and the remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_pipeline.data.leaderboards.rows import read_standings
from ray_pipeline.data.leaderboards.standing import Range, Standing
from ray_pipeline.errors import DataError

ROWS = [
    {"model": "a", "benchmark": "mbpp", "avg_time": 2.5, "pass@1": 0.5, "pass@1_low": 0.4, "pass@1_high": 0.6, "problems": 100, "samples": 10},
    {"model": "7", "benchmark": "mbpp", "avg_time": 3, "pass@1": 0, "speed_ratio": 1.2, "speed_ratio_low": 1.1, "speed_ratio_high": 1.5},
]


def written(folder: Path, ending: str, rows: list[dict[str, object]] = ROWS) -> str:  # type: ignore[assignment]
    path = folder / f"rows.{ending}"
    if ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif ending == "parquet":
        names = list(dict.fromkeys(name for row in rows for name in row))
        pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        path.write_text("\n".join([",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows)]))
    return str(path)


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "csv"])
def test_every_format_gives_the_same(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, ending)
    first, second = read_standings(path)
    lines = (2, 3) if ending == "csv" else (1, 2)  # a CSV file's first line is its header
    assert first == Standing("mbpp", "a", 2.5, 0.5, f"{path}:{lines[0]}", Range(0.4, 0.6), 100, 10)
    assert second == Standing("mbpp", "7", 3.0, 0.0, f"{path}:{lines[1]}", speed_ratio=1.2, speed_interval=Range(1.1, 1.5))


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "csv"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"avg_time": -1.0}, "avg_time is -1 (a time is above 0)"),
        ({"avg_time": 0.0}, "avg_time is 0 (a time is above 0)"),
        ({"pass@1": 14.59}, "pass@1 is 14.59, outside 0 to 1 (give a share: 14.59% is 0.1459)"),
        ({"pass@1": -0.1}, "outside 0 to 1"),
        ({"pass@1_low": 0.7, "pass@1_high": 0.9}, "pass@1 0.5 lies outside its interval 0.7 to 0.9"),
        ({"pass@1_low": 0.4}, "of pass@1_low and pass@1_high only one is given"),
        ({"speed_ratio_low": 1.0, "speed_ratio_high": 1.1}, "speed_ratio_low and speed_ratio_high stand without speed_ratio"),
        ({"speed_ratio": -2.0}, "a ratio of times is above 0"),
        ({"problems": 0}, "problems is 0 (count from 1, or leave it out)"),
        ({"samples": 1.5}, "field 'samples' is 1.5, not a whole number"),
        ({"avg_time": "fast"}, "field 'avg_time' is text, not a number"),
    ],
)
def test_a_wrong_row_is_told_with_its_place(tmp_path: Path, ending: str, change: dict[str, object], words: str) -> None:
    plain = {"model": "a", "benchmark": "mbpp", "avg_time": 2.5, "pass@1": 0.5}
    with pytest.raises(DataError) as told:
        read_standings(written(tmp_path, ending, [plain | change]))
    assert words in str(told.value)
    assert f"rows.{ending}:{2 if ending == 'csv' else 1}: " in str(told.value)


@pytest.mark.parametrize("name", ["model", "benchmark", "avg_time", "pass@1"])
@pytest.mark.parametrize("ending", ["jsonl", "parquet", "csv"])
def test_a_missing_column_is_named(tmp_path: Path, ending: str, name: str) -> None:
    rows = [{key: value for key, value in row.items() if key != name} for row in ROWS]
    with pytest.raises(DataError, match=f"field '{name}' is missing; the fields are"):
        read_standings(written(tmp_path, ending, rows))


def test_nan_is_no_number_anywhere(tmp_path: Path) -> None:
    row = {"model": "a", "benchmark": "mbpp", "avg_time": 1.0, "pass@1": float("nan")}
    for ending, words in (
        ("jsonl", "rows.jsonl:1: this is not JSON: NaN"),
        ("parquet", "'pass@1' is nan"),
        ("csv", "rows.csv:2: field 'pass@1' is nan"),
    ):
        with pytest.raises(DataError, match=words):
            read_standings(written(tmp_path, ending, [row]))
    with pytest.raises(DataError, match="avg_time is inf"):
        Standing("b", "m", float("inf"), 0.5, "here")
    with pytest.raises(DataError, match="field 'avg_time' is empty"):
        read_standings(written(tmp_path, "parquet", [row | {"avg_time": None}]))


def test_an_empty_file_and_an_unknown_one(tmp_path: Path) -> None:
    for name, text in (("a.jsonl", ""), ("a.csv", "model,benchmark,avg_time,pass@1\n"), ("b.csv", "")):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match="holds no rows; give one a model and benchmark"):
            read_standings(str(tmp_path / name))
    with pytest.raises(DataError, match="results are read from files that end in .csv"):
        read_standings("results.xlsx")
    with pytest.raises(DataError, match="cannot be opened"):
        read_standings(str(tmp_path / "nowhere.jsonl"))


def test_a_csv_row_of_another_width(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("model,benchmark,avg_time,pass@1\na,b,1,0.5\na,c,1\n")
    with pytest.raises(DataError, match=r"a.csv:3: the row has not the 4 fields of the header"):
        read_standings(str(tmp_path / "a.csv"))
    (tmp_path / "b.csv").write_text('model,benchmark,avg_time,pass@1\n"a,b,1,0.5\n')
    with pytest.raises(DataError, match="this is not CSV"):
        read_standings(str(tmp_path / "b.csv"))


def test_names_must_be_there() -> None:
    with pytest.raises(DataError, match="here: ' ' on 'b': model is empty"):
        Standing("b", " ", 1.0, 0.5, "here")
