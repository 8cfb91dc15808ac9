"""Files of problems: what is refused, and where."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.problems.problem_lines import each_once, problem_lines
from ray_pipeline.data.problems.registry import READERS, read_problems
from ray_pipeline.errors import DataError


def test_python_s_infinity_is_read_plain_and_compressed(tmp_path: Path) -> None:
    content = b'\n{"a": [-Infinity, NaN]}\r\n'
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content))
    for name in ("a.jsonl", "a.jsonl.gz"):
        (row,) = problem_lines(str(tmp_path / name))
        low, none = row.fields["a"]
        assert (row.line, low) == (2, -math.inf) and math.isnan(none)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "this is not JSON"),
        (b"[1]", "holds a list, not an object"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (rb'{"a": ["x\ud800"]}', "half of a surrogate pair"),
        (rb'{"\udc00": 1}', "half of a surrogate pair"),
        (b"[" * 100_000, "this is not JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "\\ud83d\\ude00"}\n' + line + b"\n")
    with pytest.raises(DataError) as caught:
        list(problem_lines(str(path)))
    assert str(caught.value).startswith(f"{path}:2: ") and said in str(caught.value)


def test_an_id_is_one_problem_s(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"task_id": 7}\n\n{"task_id": "8"}\n{"task_id": "7"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:4: task_id '7' is in line 1 already"):
        each_once(str(path), lambda row: row.line)
    path.write_text('{"id": 7}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:1: field 'task_id' is missing; the fields are id"):
        each_once(str(path), lambda row: row.line)


def test_a_file_without_problems_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    for name in READERS:
        with pytest.raises(DataError, match="holds no problem"):
            read_problems(name, str(tmp_path / "a.jsonl"))
        with pytest.raises(DataError, match="cannot be opened"):
            read_problems(name, str(tmp_path / "b.jsonl"))


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(DataError, match=r"no format of problems 'human_eval' \(did you mean 'humaneval'\?\)"):
        read_problems("human_eval", "x")


def test_a_problem_s_counts_fit() -> None:
    with pytest.raises(ValueError, match="base_calls=2 of 1 calls"):
        Problem("a", "p", "f", None, ((1,),), 2, None, None)
    with pytest.raises(ValueError, match="1 expected answers to 0 calls"):
        Problem("a", "p", "f", None, (), 0, (1,), None)
