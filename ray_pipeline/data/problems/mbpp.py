"""MBPP as it was published: a line {task_id, text, code, test_list, test_setup_code}; challenge_test_list is not read.

`tests` is the set-up and the assertions, to be run after a solution. A model is shown the assertions, since the text alone does not say what
the function is called; nor does any field, so the entry point is the function that `code` defines and every assertion calls: the outermost one,
where a helper is called for its arguments.

Source: https://github.com/google-research/google-research/tree/master/mbpp (mbpp.jsonl)
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.problems.problem_lines import each_once
from ray_pipeline.data.row import Row


def read_mbpp(path: str) -> list[Problem]:
    return each_once(path, _problem)


def _problem(row: Row) -> Problem:
    text, code, setup = row.text("text"), row.text("code").replace("\r\n", "\n"), row.optional_text("test_setup_code") or ""
    row.require("test_list")
    assertions = [one.replace("\r\n", "\n") for one in row.texts("test_list")]
    if not assertions:
        raise row.error("field 'test_list' is empty", "a problem needs an assertion")
    try:
        name = called_function(code, assertions)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise row.error(f"fields 'code' and 'test_list' are no programs: {problem}") from problem
    if name is None:
        raise row.error("no function that 'code' defines is called in every assertion of 'test_list'", "mend one of the two")
    listed = "\n".join(assertions)
    return Problem(
        task_id=row.identifier("task_id"),
        prompt=f"{text}\nThe code has to pass these tests:\n{listed}\n",
        entry_point=name,
        canonical=code,
        calls=(),
        base_calls=0,
        expected=None,
        tests="\n".join([*([setup.replace("\r\n", "\n")] if setup else []), listed]) + "\n",
    )


def called_function(code: str, assertions: Iterable[str]) -> str | None:
    """The outermost function that `code` defines and every assertion calls; None where there is none."""
    defined = set(_defined(ast.parse(code)))
    called = [[name for name in _called(ast.parse(one)) if name in defined] for one in assertions]
    return next((name for name in called[0] if all(name in names for names in called[1:])), None)


def _defined(program: ast.Module) -> Iterator[str]:
    """The names that a program binds to functions, or to what may be one."""
    for node in program.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _called(program: ast.Module) -> Iterator[str]:
    """The names that are called, outer ones first: `ast.walk` goes level by level."""
    for node in ast.walk(program):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
