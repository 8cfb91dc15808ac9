"""Generated problems and their file: seeds, prefixes, nothing lost, what is refused."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.data.problems.families import FAMILIES
from ray_pipeline.data.problems.generated import generated_problems
from ray_pipeline.data.problems.generated_file import read_generated, write_generated
from ray_pipeline.data.problems.problem import Comparison
from ray_pipeline.data.problems.registry import read_problems
from ray_pipeline.errors import DataError, SettingsError

GOLDEN = "0642f34afa920763645eeee1d277b1dc3d88bfb8536fc7b2e346f9e63dd772f4"


def test_one_seed_is_one_file(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_generated(str(tmp_path / name), generated_problems(51, seed))
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c
    assert hashlib.sha256(a).hexdigest() == GOLDEN, (
        "generated problems changed: say so where their artifact's number stands, and put the new hash here"
    )


def test_fewer_are_a_prefix_and_families_take_turns() -> None:
    many = generated_problems(60, 3)
    assert many[:20] == generated_problems(20, 3)
    assert set(Counter(one.family for one in many).values()) == {3, 4}
    assert [one.family for one in many[:17]] == list(FAMILIES)
    assert len({one.problem.prompt for one in many}) == 60
    assert many[0].problem.task_id == "generated-3/00000"


def test_some_families_and_all_they_have() -> None:
    names = ["anagrams", "recurrence"]
    most = sum(len(FAMILIES[name].variants) for name in names)
    all_of_them = generated_problems(most, 0, names)
    assert {one.family for one in all_of_them} == set(names)
    assert len({one.problem.prompt for one in all_of_them}) == most
    with pytest.raises(SettingsError, match=f"count: must be from 1 to {most}"):
        generated_problems(most + 1, 0, names)
    with pytest.raises(SettingsError, match="there is no 'anagram'"):
        generated_problems(1, 0, ["anagram"])
    with pytest.raises(SettingsError, match="seed: must be 0 or more"):
        generated_problems(1, -1)


def test_nothing_is_lost_in_the_file(tmp_path: Path) -> None:
    made = generated_problems(34, 5)
    for name in ("p.jsonl", "p.jsonl.gz"):
        path = str(tmp_path / name)
        write_generated(path, made)
        back = read_generated(path)
        assert repr(back) == repr(made) and back == made
        assert read_problems("generated", path) == [one.problem for one in made]
        write_generated(str(tmp_path / f"again-{name}"), back)
    assert (tmp_path / "again-p.jsonl").read_bytes() == (tmp_path / "p.jsonl").read_bytes()


def test_any_plain_value_and_any_comparison_come_back(tmp_path: Path) -> None:
    (made,) = generated_problems(1)
    calls: tuple[Any, ...] = ((1, (2,), {3}, {"a": [b"x"]}, 1j, "\u2028"), ())
    changed = replace(
        made, problem=replace(made.problem, calls=calls, base_calls=1, expected=None, comparison=Comparison("set", 1e-4), tests="assert 1\n")
    )
    write_generated(str(tmp_path / "p"), [changed])
    (back,) = read_generated(str(tmp_path / "p"))
    assert repr(back) == repr(changed)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (made,) = generated_problems(1)
    wrong = replace(made, problem=replace(made.problem, stressed=((float("nan"),),)))
    with pytest.raises(DataError, match=r"generated-0/00000: stressed\[0\]: 'nan' \(float\) cannot be written"):
        write_generated(str(tmp_path / "p"), [wrong])
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="canonical program is not the last solution"):
        write_generated(str(tmp_path / "p"), [replace(made, solutions=made.solutions[:-1])])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"calls": None}, "field 'calls' is missing"),
        ({"tests": None}, "field 'tests' is missing"),
        ({"calls": ["(1,", "(2,)"]}, "calls[0]: '(1,' is not a Python literal"),
        ({"calls": ["(1)"], "expected": ["1"]}, "calls[0] is no tuple of arguments"),
        ({"stressed": ["[1]"]}, "stressed[0] is no tuple of arguments"),
        ({"calls": [1]}, "calls[0] is the number 1, not text"),
        ({"base_calls": 999}, "field 'base_calls' is the number 999, not a number of the"),
        ({"base_calls": True}, "field 'base_calls' is true or false"),
        ({"expected": ["1"]}, "field 'expected' has 1 answers to"),
        ({"comparison": {"kind": "equal"}}, "field 'comparison' is no object of kind and atol"),
        ({"comparison": {"kind": "exact", "atol": 0}}, "comparison: there is no kind 'exact'"),
        ({"comparison": {"kind": "equal", "atol": -1}}, "comparison: atol is the number -1"),
        ({"solutions": []}, "field 'solutions' is no list of at least one solution"),
        ({"solutions": [{"name": "a", "order": "n"}]}, "solutions[0] is no object of the texts name, order and text"),
        ({"entry_point": "a b"}, "field 'entry_point' is 'a b'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    path = tmp_path / "p.jsonl"
    write_generated(str(path), generated_problems(1))
    line = json.loads(path.read_text())
    gone = [key for key, value in changed.items() if value is None]
    path.write_text(json.dumps({key: value for key, value in (line | changed).items() if key not in gone}))
    with pytest.raises(DataError) as caught:
        read_generated(str(path))
    assert str(caught.value).startswith(f"{path}:1: {said}")
