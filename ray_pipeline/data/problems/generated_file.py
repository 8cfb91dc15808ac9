"""Generated problems as a file of our own: JSON Lines, a problem a line.

    {task_id, family, prompt, entry_point, calls, base_calls, expected, stressed, comparison: {kind, atol}, tests,
     solutions: [{name, order, text}], wrong: [text]}

`calls`, `expected` and `stressed` are lists of texts, each a Python literal (`data/problems/literals.py`): a call is a tuple of arguments. `tests`
may be null, `expected` too. The last solution is the canonical one, so it stands there once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, get_args

from ray_pipeline.data.lines import write_json_lines
from ray_pipeline.data.problems.families.family import Solution
from ray_pipeline.data.problems.generated import GeneratedProblem
from ray_pipeline.data.problems.literals import literal_of, value_of
from ray_pipeline.data.problems.problem import Arguments, Comparison, Kind, Problem
from ray_pipeline.data.problems.problem_lines import each_once, function_name
from ray_pipeline.data.row import Row, kind_of


def write_generated(path: str, problems: Iterable[GeneratedProblem]) -> None:
    write_json_lines(path, map(_fields, problems))


def read_generated(path: str) -> list[GeneratedProblem]:
    return each_once(path, _generated)


def read_generated_problems(path: str) -> list[Problem]:
    """The problems alone."""
    return [one.problem for one in read_generated(path)]


def _fields(one: GeneratedProblem) -> dict[str, Any]:
    problem = one.problem
    if not one.solutions or problem.canonical != one.solutions[-1].text:
        raise ValueError(f"{problem.task_id}: the canonical program is not the last solution, so the file could not say which it is")

    def written(key: str, values: tuple[Any, ...]) -> list[str]:
        return [literal_of(value, f"{problem.task_id}: {key}[{at}]") for at, value in enumerate(values)]

    return {
        "task_id": problem.task_id,
        "family": one.family,
        "prompt": problem.prompt,
        "entry_point": problem.entry_point,
        "calls": written("calls", problem.calls),
        "base_calls": problem.base_calls,
        "expected": None if problem.expected is None else written("expected", problem.expected),
        "stressed": written("stressed", problem.stressed),
        "comparison": {"kind": problem.comparison.kind, "atol": problem.comparison.atol},
        "tests": problem.tests,
        "solutions": [{"name": solution.name, "order": solution.order, "text": solution.text} for solution in one.solutions],
        "wrong": list(one.wrong),
    }


def _generated(row: Row) -> GeneratedProblem:
    for key in ("calls", "base_calls", "expected", "stressed", "comparison", "tests", "solutions", "wrong"):
        row.require(key)
    solutions = _solutions(row)
    calls, base_calls = _calls(row, "calls"), row.fields["base_calls"]
    if type(base_calls) is not int or not 0 <= base_calls <= len(calls):
        raise row.error(f"field 'base_calls' is {kind_of(base_calls)}, not a number of the {len(calls)} calls")
    expected = None if row.fields["expected"] is None else _values(row, "expected")
    if expected is not None and len(expected) != len(calls):
        raise row.error(f"field 'expected' has {len(expected)} answers to {len(calls)} calls", "give one a call, or null")
    problem = Problem(
        task_id=row.identifier("task_id"),
        prompt=row.text("prompt"),
        entry_point=function_name(row),
        canonical=solutions[-1].text,
        calls=calls,
        base_calls=base_calls,
        expected=expected,
        tests=row.optional_text("tests"),
        comparison=_comparison(row),
        stressed=_calls(row, "stressed"),
    )
    return GeneratedProblem(problem, row.text("family"), solutions, tuple(row.texts("wrong")))


def _values(row: Row, key: str) -> tuple[Any, ...]:
    return tuple(value_of(text, f"{row.path}:{row.line}: {key}[{at}]") for at, text in enumerate(row.texts(key)))


def _calls(row: Row, key: str) -> tuple[Arguments, ...]:
    calls = _values(row, key)
    for at, call in enumerate(calls):
        if not isinstance(call, tuple):
            raise row.error(f"{key}[{at}] is no tuple of arguments", "write (1,) for a single argument")
    return calls


def _comparison(row: Row) -> Comparison:
    given = row.fields["comparison"]
    if not isinstance(given, dict) or given.keys() != {"kind", "atol"}:
        raise row.error("field 'comparison' is no object of kind and atol")
    kind, atol = given["kind"], given["atol"]
    if kind not in get_args(Kind):
        raise row.error(f"comparison: there is no kind {kind!r}; the kinds are {', '.join(get_args(Kind))}")
    if isinstance(atol, bool) or not isinstance(atol, int | float) or not 0 <= atol < math.inf:
        raise row.error(f"comparison: atol is {kind_of(atol)}, not a number of 0 or more")
    return Comparison(kind, float(atol))


def _solutions(row: Row) -> tuple[Solution, ...]:
    given = row.fields["solutions"]
    if not isinstance(given, list) or not given:
        raise row.error("field 'solutions' is no list of at least one solution")
    found = []
    for at, one in enumerate(given):
        if not isinstance(one, dict) or one.keys() != {"name", "order", "text"} or not all(isinstance(part, str) for part in one.values()):
            raise row.error(f"solutions[{at}] is no object of the texts name, order and text")
        found.append(Solution(one["name"], one["order"], one["text"]))
    return tuple(found)
