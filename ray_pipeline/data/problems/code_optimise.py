"""Code-Optimise's shape of MBPP: a line {task_id, prompt, test, entry_point}.

`prompt` is a signature with a docstring, `test` a program that defines `check(candidate)`. There is no solution in the file and no call
outside `test`.

Traps. Lines of programs end in "\\r\\n" and "\\n" mixed; Python reads both alike, models do not, so all end in "\\n" here. In published rows
`entry_point` has a space after it (32), is another function's name (702) or the begin of a line of code (966); where it is nothing that the
prompt defines, the function that the prompt defines is the entry point.
Some tests call the function by its name rather than as `candidate`, and a few use a class that they do not define (601: `Pair`), so no
solution of the function alone passes them.

Source: https://github.com/huawei-noah/HEBO
"""

from __future__ import annotations

import ast

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.problems.problem_lines import each_once
from ray_pipeline.data.row import Row


def read_code_optimise(path: str) -> list[Problem]:
    return each_once(path, _problem)


def _problem(row: Row) -> Problem:
    prompt = row.text("prompt").replace("\r\n", "\n")
    return Problem(
        task_id=row.identifier("task_id"),
        prompt=prompt,
        entry_point=_entry_point(row, prompt),
        canonical=None,
        calls=(),
        base_calls=0,
        expected=None,
        tests=row.text("test").replace("\r\n", "\n"),
    )


def _entry_point(row: Row, prompt: str) -> str:
    named = row.text("entry_point")
    try:
        defined = [node.name for node in ast.parse(prompt).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise row.error(f"field 'prompt' is not a signature with a docstring: {problem}") from problem
    if not defined:
        raise row.error("field 'prompt' defines no function", "write a signature with a docstring")
    return named if named in defined else defined[-1]
