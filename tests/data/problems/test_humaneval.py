from __future__ import annotations

import ast
import gzip
import json
from pathlib import Path

import pytest

from ray_pipeline.data.problems.humaneval import read_humaneval
from ray_pipeline.data.problems.problem import Comparison, Problem
from ray_pipeline.errors import DataError

PUBLISHED = Path(__file__).parents[3] / "../shared/data/humaneval/HumanEval.jsonl.gz"
LINE = {
    "task_id": "HumanEval/900",
    "prompt": 'def twice(x):\n    """Double x."""\n',
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


def test_a_line_becomes_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(LINE).encode()))
    program = 'def twice(x):\n    """Double x."""\n    return 2 * x\n'
    wanted = Problem("HumanEval/900", LINE["prompt"], "twice", program, (), 0, None, LINE["test"], Comparison("equal", 0.0), ())
    assert read_humaneval(str(path)) == [wanted]


@pytest.mark.parametrize("key", LINE)
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text(json.dumps(LINE | {"task_id": "a"}) + "\n" + json.dumps({name: value for name, value in LINE.items() if name != key}))
    with pytest.raises(DataError, match=rf"h\.jsonl:2: field '{key}' is missing"):
        read_humaneval(str(path))


def test_an_entry_point_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text(json.dumps(LINE | {"entry_point": "twice(x)"}))
    with pytest.raises(DataError, match=r"h\.jsonl:1: field 'entry_point' is 'twice\(x\)', which is no name of a function"):
        read_humaneval(str(path))


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="HumanEval is not beside this checkout")
def test_the_published_file() -> None:
    problems = read_humaneval(str(PUBLISHED))
    assert [one.task_id for one in problems] == [f"HumanEval/{number}" for number in range(164)]
    for one in problems:
        assert one.canonical is not None and one.tests is not None
        assert one.entry_point in {node.name for node in ast.parse(one.canonical).body if isinstance(node, ast.FunctionDef)}
        assert "check" in {node.name for node in ast.parse(one.tests).body if isinstance(node, ast.FunctionDef)}
