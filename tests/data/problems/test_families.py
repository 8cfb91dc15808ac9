"""Families, all their variants: solutions agree, mistakes show, no two variants ask the same, solutions differ in speed."""

from __future__ import annotations

import ast
import copy
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from ray_pipeline.data.problems.families import FAMILIES
from ray_pipeline.data.problems.families.family import Family
from ray_pipeline.data.problems.generated import GeneratedProblem, generated_problems

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
FAILED = "raised"  # a call that one variant allows may be none for another


def all_of(family: Family, seed: int = 0) -> list[GeneratedProblem]:
    return generated_problems(len(family.variants), seed, [family.name])


def function(text: str, name: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(compile(text, name, "exec"), names)
    return names[name]  # type: ignore[no-any-return]


def answer(program: Callable[..., Any], call: tuple[Any, ...]) -> Any:
    try:
        return program(*copy.deepcopy(call))
    except IndexError:
        return FAILED


def test_there_are_families_enough() -> None:
    assert len(FAMILIES) >= 12
    assert sum(len(family.variants) for family in FAMILIES.values()) >= 1000
    assert min(len(family.variants) for family in FAMILIES.values()) >= 50


@every_family
def test_all_solutions_give_the_expected_answers_and_change_nothing(family: Family) -> None:
    assert len(family.solutions) >= 3
    assert len({one.order for one in family.solutions}) == len(family.solutions) == len({one.name for one in family.solutions})
    for made in all_of(family):
        problem = made.problem
        assert problem.expected is not None
        for solution in made.solutions:
            program = function(solution.text, problem.entry_point)
            for call, expected in zip(problem.calls, problem.expected, strict=True):
                given = copy.deepcopy(call)
                found = program(*given)
                assert repr(found) == repr(expected), (solution.name, call)
                assert given == call, (solution.name, call)


@every_family
def test_every_mistake_shows_at_an_edge(family: Family) -> None:
    """So it shows whatever the seed is."""
    assert len(family.wrong) >= 2
    for variant in family.variants:
        edges = family.edges(variant)
        for text in family.wrong_programs(variant, family.prompt(variant, edges[0])):
            program = function(text, family.entry_point)
            pairs = [(program(*copy.deepcopy(call)), family.answer(variant, *call)) for call in edges]
            assert any(found != expected for found, expected in pairs), text
            assert all(type(found) is type(expected) for found, expected in pairs), text  # a mistake, not nonsense


@every_family
def test_no_two_variants_are_one_problem(family: Family) -> None:
    made = [one.problem for one in all_of(family)]
    assert len({one.prompt for one in made}) == len(made)
    programs = [function(one.canonical or "", one.entry_point) for one in made]
    for first, second in itertools.combinations(range(len(made)), 2):
        asked = itertools.chain(made[first].calls, made[second].calls)
        assert any(answer(programs[first], call) != answer(programs[second], call) for call in asked), made[first].prompt + made[second].prompt


@every_family
def test_a_prompt_is_the_begin_of_a_program_and_its_example_is_right(family: Family) -> None:
    for made in all_of(family):
        (defined,) = ast.parse(made.problem.prompt).body
        assert isinstance(defined, ast.FunctionDef) and defined.name == family.entry_point
        (call, shown) = (ast.get_docstring(defined) or "").split(">>> ")[1].split("\n")
        program = function(made.problem.canonical or "", family.entry_point)
        asked = ast.parse(call, mode="eval").body
        assert isinstance(asked, ast.Call) and ast.unparse(asked.func) == family.entry_point
        assert repr(program(*map(ast.literal_eval, asked.args))) == shown
        for text in (*(one.text for one in made.solutions), *made.wrong):
            assert text.startswith(made.problem.prompt) and "$" not in text
            assert text.endswith("\n") and max(map(len, text.splitlines())) <= 250


@every_family
def test_on_stressed_calls_solutions_agree_and_differ_in_speed(family: Family) -> None:
    """Computing time, the least of three: other processes may be at work."""
    (made,) = generated_problems(1, 0, [family.name])
    call = made.problem.stressed[-1]
    seconds, found = [], []
    for solution in made.solutions:
        program, times = function(solution.text, made.problem.entry_point), []
        for _ in range(3):
            given = copy.deepcopy(call)
            began = time.process_time()
            found.append(program(*given))
            times.append(time.process_time() - began)
        seconds.append(min(times))
    assert all(one == found[0] for one in found)
    assert seconds[0] >= 2 * seconds[-1], seconds
    assert seconds[0] < 2, seconds
