"""Sums: values as Python has them, bounds on what is read, rows that depend on their number."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.tasks.arithmetic import CALCULATOR, ArithmeticSpec, arithmetic_tasks
from ray_pipeline.data.tasks.expressions import value_of
from ray_pipeline.data.tasks.tool import ToolError
from ray_pipeline.errors import SettingsError

SPEC = ArithmeticSpec(200, seed=2)
SPACES = st.sampled_from(["", " ", "  "])


def sums() -> st.SearchStrategy[str]:
    numbers = st.integers(0, 999).map(str)
    return st.recursive(
        numbers,
        lambda inner: st.one_of(
            st.tuples(inner, SPACES, st.sampled_from(["+", "-", "*", "//", "%"]), SPACES, inner).map("".join),
            inner.map("({})".format),
            inner.map("-{}".format),
        ),
        max_leaves=8,
    )


@settings(max_examples=300, deadline=None)
@given(sums())
def test_a_sum_is_worth_what_python_says(text: str) -> None:
    """The texts are made here, of digits and signs, so Python may be asked."""
    try:
        expected = eval(text)  # noqa: S307
    except ZeroDivisionError:
        with pytest.raises(ToolError, match="divides by 0"):
            value_of(text)
    else:
        assert value_of(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2+3*4", 14),
        ("(2+3)*4", 20),
        ("7 - 2 - 1", 4),
        ("-7//2", -4),
        ("-(7//2)", -3),
        ("-7 % 3", 2),
        ("2 * -3", -6),
        ("--5", 5),
        ("007", 7),
        (" 1 ", 1),
    ],
)
def test_ranks_and_signs(text: str, value: int) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a number is missing at the end"),
        ("2 +", "a number is missing at the end"),
        ("2 + * 3", r"a number is missing before '\*'"),
        ("(2 + 3", "a parenthesis is not closed"),
        ("2 3", "'3' stands where the expression should end"),
        ("2 ** 3", r"a number is missing before '\*'"),
        ("2 / 3", "'/' cannot be read"),
        ("2.5 + 1", r"'\.' cannot be read"),
        ("__import__('os')", "'_' cannot be read"),
        ("\N{ARABIC-INDIC DIGIT TWO}", "cannot be read"),
        ("1 % (2 - 2)", "divides by 0"),
        ("1" * 201, "201 characters; 200 are read"),
        ("(" * 31 + "1" + ")" * 31, "nested more than 30 deep"),
        ("-" * 31 + "1", "nested more than 30 deep"),
    ],
)
def test_what_is_no_sum_is_told(text: str, said: str) -> None:
    with pytest.raises(ToolError, match=said):
        value_of(text)


def test_a_row_depends_on_its_number_alone() -> None:
    few, many = arithmetic_tasks(replace(SPEC, rows=20)), arithmetic_tasks(SPEC)
    assert many[:20] == few
    assert arithmetic_tasks(replace(SPEC, rows=20, seed=3)) != few
    assert Counter(task.facts["level"] for task in many) == dict.fromkeys((1, 2, 3, 4, 5), 40)


def test_the_question_holds_the_sum_and_a_tool_is_offered_where_asked() -> None:
    for task, with_tool in zip(arithmetic_tasks(SPEC), arithmetic_tasks(replace(SPEC, calculator=True)), strict=True):
        assert task.facts["expression"] in (task.messages[0].content or "")
        assert task.facts["value"] == eval(task.facts["expression"])  # noqa: S307
        assert task.tools is None and with_tool.facts == task.facts
        assert json.loads(with_tool.tools or "")[0]["function"]["name"] == CALCULATOR.name


def test_levels_grow() -> None:
    """The mean length of what is asked does, from level to level."""
    lengths = [sum(len(task.facts["expression"]) for task in arithmetic_tasks(ArithmeticSpec(100, levels=(level,)))) for level in (1, 2, 3, 4, 5)]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize(("values", "said"), [({"rows": 0}, "rows"), ({"seed": -1}, "seed"), ({"levels": (0,)}, "levels: must be some of 1, 2")])
def test_a_spec_that_makes_no_sense_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ArithmeticSpec(**{"rows": 5, **values})  # type: ignore[arg-type]
