"""HumanEval: a line {task_id, prompt, entry_point, canonical_solution, test}.

`prompt` is a program up to the end of a docstring and the solution goes on from there, so the canonical program is both together. `test` is a
program that defines `check(candidate)`; it holds the calls, so `calls` is empty.

Source: https://github.com/openai/human-eval
"""

from __future__ import annotations

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.problems.problem_lines import each_once, function_name
from ray_pipeline.data.row import Row


def read_humaneval(path: str) -> list[Problem]:
    return each_once(path, _problem)


def _problem(row: Row) -> Problem:
    prompt = row.text("prompt")
    return Problem(
        task_id=row.identifier("task_id"),
        prompt=prompt,
        entry_point=function_name(row),
        canonical=prompt + row.text("canonical_solution"),
        calls=(),
        base_calls=0,
        expected=None,
        tests=row.text("test"),
    )
