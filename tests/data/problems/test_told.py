"""A program whose answers are no plain values, and one whose are."""

from __future__ import annotations

from typing import Any

from ray_pipeline.data.problems.problem import Comparison, Kind, Problem
from ray_pipeline.data.problems.told import told
from ray_pipeline.metrics.code_answers import answers_agree, as_answered, as_expected

PROGRAM = "import re\ndef found(text):\n    return {'yes': re.match('y', text), 'no': None, 'false': False, 'true': True, 'zero': 0}[text]"
TEXTS = ("yes", "no", "false", "true", "zero")


def problem(kind: Kind) -> Problem:
    return Problem("a", "", "found", PROGRAM, tuple((text,) for text in TEXTS), 5, None, None, Comparison(kind))


def answers(program: str) -> list[Any]:
    names: dict[str, Any] = {}
    exec(program, names)
    return [names["found"](text) for text in TEXTS]


def test_only_matches_are_told_otherwise() -> None:
    assert told(PROGRAM, problem("equal")) == PROGRAM
    plain = answers(told(PROGRAM, problem("not_none")))
    assert [repr(one) for one in plain] == ["True", "None", "False", "True", "True"]


def test_it_changes_no_verdict() -> None:
    comparison = Comparison("not_none")
    raw, plain = answers(PROGRAM), answers(told(PROGRAM, problem("not_none")))
    assert [as_expected(one, comparison) for one in raw] == [as_expected(one, comparison) for one in plain] == [True, False, True, True, True]
    for expected in (True, False):
        for one, other in zip(raw, plain, strict=True):
            verdicts = {answers_agree(form, expected, (), comparison) for form in (one, other, as_answered(one, comparison))}
            assert len(verdicts) == 1
