"""What is one program and what is two."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.pairs.duplicates import distinct, program_of
from ray_pipeline.data.pairs.make import make_pairs
from ray_pipeline.data.pairs.settings import PairSettings
from ray_pipeline.data.pairs.solution import Solution


def solution(text: str, sample: int, passed: bool = True) -> Solution:
    return Solution("t", "p", text, passed, "", None, None, sample)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("def f(x):\n    return x\n", "def f(x):  # the same\n  return (x)\n\n", True),
        ("x = 'a'", 'x = "a"', True),
        ("x = 1.0", "x = 1.00", True),
        ("x = 1", "x = 1.0", False),
        ("x = 1", "x = True", False),
        ("def f(x): return x", "def f(y): return y", False),
        ("    return x  \n\n", "    return x", True),  # a completion: no module by itself
        ("    return x\r\n    # end", "    return x\n    # end", True),
        ("    return x", "  return x", False),
        ("    return x", "\n    return x", False),
        ("x = '\\d'", 'x = "\\d"', True),
        ("(" * 5000, "(" * 5000 + "\n", True),
        ("x = 1\0", "x = 1\0 \n", True),
    ],
)
def test_by_hand(one: str, other: str, same: bool) -> None:
    assert (program_of(one) == program_of(other)) == same


def test_the_first_stays() -> None:
    found = distinct([solution("x = 1", 0), solution("y", 1), solution("x=1", 2), solution("x  =  1", 5)])
    assert [one.sample for one in found.solutions] == [0, 1] and (found.duplicates, found.contradicted) == (2, 0)


def test_verdicts_that_differ_are_not_believed() -> None:
    found = distinct([solution("x = 1", 0), solution("x=1", 1, passed=False), solution("y", 2), solution("y ", 3)])
    assert [one.sample for one in found.solutions] == [2] and (found.duplicates, found.contradicted) == (1, 2)
    report = make_pairs([solution("x = 1", 0), solution("x=1", 1, passed=False)], PairSettings()).report
    assert (report.pairs, report.contradicted, report.missing) == (0, 2, {"none passed": 1})


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a=1", "a = 1", "a = 2", "  a", "  a "]), st.booleans()), max_size=8))
def test_each_program_is_there_once(given_solutions: list[tuple[str, bool]]) -> None:
    all_of = [solution(text, at, passed) for at, (text, passed) in enumerate(given_solutions)]
    found = distinct(all_of)
    programs = [program_of(one.text) for one in found.solutions]
    assert len(programs) == len(set(programs)) and len(programs) + found.duplicates + found.contradicted == len(all_of)
    for one in found.solutions:
        copies = [other for other in all_of if program_of(other.text) == program_of(one.text)]
        assert one == copies[0] and all(other.passed == one.passed for other in copies)
