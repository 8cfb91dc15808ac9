"""HumanEval+ and MBPP+: tasks' shapes by hand, and every published task."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.data.problems.evalplus import read_evalplus
from ray_pipeline.data.problems.evalplus_inputs import mbpp_arguments
from ray_pipeline.data.problems.problem import Comparison
from ray_pipeline.data.problems.problem_lines import problem_lines
from ray_pipeline.errors import DataError

DATA = Path(__file__).parents[3] / "../shared/data"
LINE: dict[str, Any] = {
    "task_id": "Mbpp/2",
    "prompt": '"""Shared elements."""\n',
    "entry_point": "similar_elements",
    "canonical_solution": "def similar_elements(a, b):\n  return tuple(set(a) & set(b))\n",
    "base_input": [[[1, 2], [2]]],
    "plus_input": [[[], []], [[-math.inf], []]],
    "atol": 0,
    "contract": "\n  assert isinstance(a, tuple)\n",
    "assertion": "assert similar_elements((1, 2), (2,)) == (2,)\n",
}


def written(path: Path, **changed: Any) -> str:
    path.write_text(json.dumps({key: value for key, value in (LINE | changed).items() if value is not None}))
    return str(path)


def test_a_line_of_mbpp(tmp_path: Path) -> None:
    (one,) = read_evalplus(written(tmp_path / "m.jsonl"))
    assert one.calls == (((1, 2), (2,)), ((), ()), ((-math.inf,), ()))
    assert (one.base_calls, one.expected, one.stressed) == (1, None, ())
    assert one.comparison == Comparison("set", 0.0)
    assert (one.canonical, one.tests) == (LINE["prompt"] + LINE["canonical_solution"], LINE["assertion"])


def test_a_line_of_humaneval_keeps_lists_and_needs_no_tests(tmp_path: Path) -> None:
    (one,) = read_evalplus(written(tmp_path / "h.jsonl", task_id="HumanEval/32", entry_point="find_zero", atol=1e-4, assertion=None))
    assert one.calls[0] == ([1, 2], [2])
    assert (one.comparison, one.tests) == (Comparison("root", 1e-4), None)
    (one,) = read_evalplus(written(tmp_path / "h.jsonl", task_id="HumanEval/2", test="def check(candidate): ..."))
    assert (one.comparison.kind, one.tests) == ("equal", "def check(candidate): ...")  # the name is MBPP's


@pytest.mark.parametrize(
    ("task", "given", "wanted"),
    [
        (1, [[1], 2], ([1], 2)),
        (2, [[1], "ab"], ((1,), ("a", "b"))),
        (63, [[[1, 2], [3]]], ([(1, 2), (3,)],)),
        (259, [[[1], [2]], [[3]]], (((1,), (2,)), ((3,),))),
        (75, [[[1, 2]], 5], ([(1, 2)], 5)),
        (250, [[1, 2], [3]], ((1, 2), [3])),
        (106, [[1], [2]], ([1], (2,))),
        (307, [[1], 2, [3]], ((1,), 2, [3])),
        (115, [[[1, 1], [], 3]], ([{1}, {}, {}],)),
        (278, [[1, [2, [3]], 4]], ((1, (2, [3]), 4),)),
        (722, [{"a": [1, 2]}, 3, 4], ({"a": (1, 2)}, 3, 4)),
        (124, ["0", "1j"], (0.0, 1j)),
        (252, [3], (3 + 0j,)),
        (580, [[1, [2, [3]]]], ((1, (2, (3,))),)),
    ],
)
def test_arguments_of_mbpp(task: int, given: list[Any], wanted: tuple[Any, ...]) -> None:
    assert repr(mbpp_arguments(task, given)) == repr(wanted)  # as text: True is 1 and {} is not set(), but == would not say so


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"base_input": None}, "field 'base_input' is missing"),
        ({"atol": None}, "field 'atol' is missing"),
        ({"canonical_solution": None}, "field 'canonical_solution' is missing"),
        ({"atol": -1}, "field 'atol' is the number -1"),
        ({"atol": True}, "field 'atol' is true or false"),
        ({"atol": math.inf}, "field 'atol' is the number inf"),
        ({"plus_input": {"a": 1}}, "field 'plus_input' is an object, not a list of calls"),
        ({"plus_input": [1]}, "plus_input[0] is the number 1, not the list"),
        ({"base_input": [[[1], [2]], [3, 4]]}, "base_input[1] has another shape than task 2 of MBPP+"),
        ({"task_id": "Mbpp/124", "base_input": [["x", "1j"]]}, "base_input[0] has another shape than task 124"),
        ({"task_id": "Mbpp/250", "base_input": [[[1]]]}, "base_input[0] has another shape than task 250"),
        ({"task_id": "Mbpp/x"}, "task_id 'Mbpp/x' is of neither benchmark"),
        ({"task_id": "2"}, "task_id '2' is of neither benchmark"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    path = written(tmp_path / "m.jsonl", **changed)
    with pytest.raises(DataError) as caught:
        read_evalplus(path)
    assert str(caught.value).startswith(f"{path}:1: {said}")


def test_no_further_inputs_may_be_an_empty_object(tmp_path: Path) -> None:
    (one,) = read_evalplus(written(tmp_path / "m.jsonl", plus_input={}))
    assert len(one.calls) == one.base_calls == 1


@pytest.mark.skipif(not (DATA / "mbpp_plus").is_dir(), reason="MBPP+ is not beside this checkout")
def test_the_published_mbpp() -> None:
    """Contracts say what the arguments' types are, in programs' words; here the plain ones are held against what was read."""
    path = str(DATA / "mbpp_plus/MbppPlus.jsonl.gz")
    problems = {one.task_id: one for one in read_evalplus(path)}
    assert len(problems) == 378
    kinds = Counter(one.comparison.kind for one in problems.values())
    assert kinds == {"equal": 366, "set": 7, "not_none": 3, "pyramid_surface": 1, "digit_distance": 1}
    assert problems["Mbpp/2"].calls[0] == ((3, 4, 5, 6), (5, 7, 4, 10))
    assert problems["Mbpp/124"].calls[0] == (0.0, 1j)
    assert problems["Mbpp/793"].base_calls == len(problems["Mbpp/793"].calls)
    assert any(-math.inf in call for call in problems["Mbpp/404"].calls)

    checked = 0
    for row in problem_lines(path):
        one = problems[row.text("task_id")]
        header = re.search(rf"def {one.entry_point}\s*\(([\w, ]*)\)", row.text("canonical_solution"))
        names = [name.strip() for name in header[1].split(",")] if header else []
        for name, kind in re.findall(r"^  assert isinstance\((\w+), (tuple|list|set|complex|dict|str)\),", row.text("contract"), re.MULTILINE):
            if name in names:
                at = names.index(name)
                assert {type(call[at]).__name__ for call in one.calls} == {kind}, (one.task_id, name)
                checked += 1
    assert checked > 100


@pytest.mark.skipif(not (DATA / "humaneval_plus").is_dir(), reason="HumanEval+ is not beside this checkout")
def test_the_published_humaneval() -> None:
    whole = read_evalplus(str(DATA / "humaneval_plus/HumanEvalPlus.jsonl.gz"))
    small = read_evalplus(str(DATA / "humaneval_plus/HumanEvalPlus-Mini.jsonl.gz"))
    assert len(whole) == len(small) == 164
    assert {one.task_id: one.comparison for one in whole if one.comparison != Comparison()} == {
        "HumanEval/2": Comparison("equal", 1e-6),
        "HumanEval/4": Comparison("equal", 1e-6),
        "HumanEval/32": Comparison("root", 1e-4),
    }
    for one, other in zip(whole, small, strict=True):
        assert (one.task_id, one.prompt, one.base_calls) == (other.task_id, other.prompt, other.base_calls)
        assert repr(one.calls[: one.base_calls]) == repr(other.calls[: one.base_calls])
        assert len(one.calls) >= len(other.calls) and one.tests is not None and other.tests is None
