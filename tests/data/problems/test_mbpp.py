from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.data.problems.mbpp import called_function, read_mbpp
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.problems.problem_lines import problem_lines
from ray_pipeline.errors import DataError

LINE: dict[str, Any] = {
    "task_id": 11,
    "text": "Write a function that adds one.",
    "code": "def helper(x):\r\n  return x\r\ndef add_one(x):\r\n  return helper(x) + 1",
    "test_list": ["assert add_one(helper(1)) == 2", "assert set(add_one(helper(x)) for x in (1,)) == {2}"],
    "test_setup_code": "",
    "challenge_test_list": [],
}


def written(path: Path, **changed: Any) -> str:
    path.write_text(json.dumps({key: value for key, value in (LINE | changed).items() if value is not None}))
    return str(path)


def test_a_line_becomes_a_problem(tmp_path: Path) -> None:
    code = LINE["code"].replace("\r\n", "\n")
    listed = "assert add_one(helper(1)) == 2\nassert set(add_one(helper(x)) for x in (1,)) == {2}\n"
    prompt = f"Write a function that adds one.\nThe code has to pass these tests:\n{listed}"
    assert read_mbpp(written(tmp_path / "m.jsonl")) == [Problem("11", prompt, "add_one", code, (), 0, None, listed)]
    (one,) = read_mbpp(written(tmp_path / "m.jsonl", test_setup_code="import math"))
    assert one.tests == "import math\n" + listed


@pytest.mark.parametrize(
    ("code", "assertions", "name"),
    [
        ("def f(x): return x", ["assert f(1) == 1"], "f"),
        ("def f(x): return x", ["assert math.isclose(f(1), 1)", "assert not f(0)"], "f"),
        ("def f(x): return x\ndef g(x): return x", ["assert g(f(1)) == f(1)"], "g"),
        ("def f(x): return x\ndef g(x): return x", ["assert g(f(1))", "assert f(1)"], "f"),
        ("f = lambda x: x", ["assert f(1) == 1"], "f"),
        ("class Pair: pass\ndef f(x): return x", ["assert f(Pair()) is None"], "f"),
        ("def f(x): return x", ["assert g(1) == 1"], None),
        ("def f(x): return x", ["assert f(1)", "assert True"], None),
    ],
)
def test_the_function_that_is_called(code: str, assertions: list[str], name: str | None) -> None:
    assert called_function(code, assertions) == name


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"text": None}, "field 'text' is missing"),
        ({"test_list": None}, "field 'test_list' is missing"),
        ({"test_list": []}, "field 'test_list' is empty"),
        ({"code": "def f(:"}, "fields 'code' and 'test_list' are no programs"),
        ({"code": "def other(x): return x"}, "no function that 'code' defines is called in every assertion"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    path = written(tmp_path / "m.jsonl", **changed)
    with pytest.raises(DataError) as caught:
        read_mbpp(path)
    assert str(caught.value).startswith(f"{path}:1: {said}")


PUBLISHED = Path(__file__).parents[3] / "../shared/data/mbpp_plus/MbppPlus.jsonl.gz"


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="MBPP+ is not beside this checkout")
def test_entry_points_are_those_that_others_found() -> None:
    """MBPP+ names its functions; its assertions are MBPP's."""
    for row in problem_lines(str(PUBLISHED)):
        assertions = [ast.unparse(node) for node in ast.parse(row.text("assertion")).body if isinstance(node, ast.Assert)]
        assert called_function(row.text("canonical_solution"), assertions) == row.text("entry_point")
