from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.data.problems.code_optimise import read_code_optimise
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.errors import DataError

PUBLISHED = Path(__file__).parents[3] / "../shared/data/mbpp_code_optimise"
LINE: dict[str, Any] = {
    "task_id": "9",
    "prompt": 'def twice(x):\r\n    """Double x."""\n',
    "test": "def check(candidate):\r\n    assert candidate(1) == 2",
    "entry_point": "twice",
}


def written(path: Path, **changed: Any) -> str:
    path.write_text(json.dumps({key: value for key, value in (LINE | changed).items() if value is not None}))
    return str(path)


def test_a_line_becomes_a_problem_with_even_line_ends(tmp_path: Path) -> None:
    prompt, tests = 'def twice(x):\n    """Double x."""\n', "def check(candidate):\n    assert candidate(1) == 2"
    assert read_code_optimise(written(tmp_path / "c.jsonl")) == [Problem("9", prompt, "twice", None, (), 0, None, tests)]


@pytest.mark.parametrize("named", ["twice ", "find", "twice(x): # [("])
def test_the_prompt_says_what_is_called_where_the_field_does_not(tmp_path: Path, named: str) -> None:
    (one,) = read_code_optimise(written(tmp_path / "c.jsonl", entry_point=named))
    assert one.entry_point == "twice"


def test_of_two_functions_the_field_chooses(tmp_path: Path) -> None:
    prompt = 'def twice(x):\n    return 2 * x\ndef thrice(x):\n    """Triple x."""\n'
    for named, found in (("twice", "twice"), ("x", "thrice")):
        (one,) = read_code_optimise(written(tmp_path / "c.jsonl", prompt=prompt, entry_point=named))
        assert one.entry_point == found


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"test": None}, "field 'test' is missing"),
        ({"entry_point": None}, "field 'entry_point' is missing"),
        ({"prompt": "def twice(x:"}, "field 'prompt' is not a signature with a docstring"),
        ({"prompt": "x = 1"}, "field 'prompt' defines no function"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    path = written(tmp_path / "c.jsonl", **changed)
    with pytest.raises(DataError) as caught:
        read_code_optimise(path)
    assert str(caught.value).startswith(f"{path}:1: {said}")


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="Code-Optimise's MBPP is not beside this checkout")
@pytest.mark.parametrize(("split", "count"), [("train", 384), ("validation", 90), ("test", 500)])
def test_the_published_files(split: str, count: int) -> None:
    problems = read_code_optimise(str(PUBLISHED / f"{split}.jsonl"))
    assert len(problems) == count
    for one in problems:
        assert one.tests is not None and "\r" not in one.prompt + one.tests
        assert [node.name for node in ast.parse(one.tests).body if isinstance(node, ast.FunctionDef)] == ["check"]
        assert one.entry_point in {node.name for node in ast.parse(one.prompt).body if isinstance(node, ast.FunctionDef)}
