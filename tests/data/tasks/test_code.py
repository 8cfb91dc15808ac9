"""Problems as tasks: nothing of a problem is lost on the way, and what cannot be judged is refused."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from ray_pipeline.data.problems.generated import generated_problems
from ray_pipeline.data.problems.problem import Comparison, Problem
from ray_pipeline.data.tasks.code import code_tasks, problem_of
from ray_pipeline.data.tasks.task import Task, tasks_of, tasks_table
from ray_pipeline.errors import DataError

PROBLEM = Problem(
    "own/1", "def f(x):", "f", "def f(x): return {x}", ((2,), ((3, {4}),)), 1, ({2}, 0.5), None, Comparison("set", 0.1), stressed=(([1, 2],),)
)


def test_a_problem_comes_back_from_its_task() -> None:
    for problem in (PROBLEM, *(one.problem for one in generated_problems(20, seed=1))):
        (task,) = tasks_of(tasks_table(code_tasks([problem], "Solve: {prompt} ({entry_point})")))
        assert problem_of(task) == problem
        assert task.messages[0].content == f"Solve: {problem.prompt} ({problem.entry_point})"
        assert (task.task_id, task.tools) == (problem.task_id, None)


def test_tests_that_are_a_program_need_no_calls() -> None:
    problem = Problem("own/2", "", "f", None, (), 0, None, "def check(f): assert f() == 1")
    found = problem_of(code_tasks([problem], "{prompt}")[0])
    assert found == replace(problem, expected=())


def test_a_call_that_cannot_be_written_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    problem = replace(PROBLEM, calls=((float("inf"),), *PROBLEM.calls), base_calls=2, expected=({1}, *(PROBLEM.expected or ())))
    with caplog.at_level(logging.WARNING):
        assert problem_of(code_tasks([problem], "{prompt}")[0]) == PROBLEM
    assert "own/1: call 0: 'inf' (float) cannot be written" in caplog.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expected": None}, "own/1: states no answers to its calls"),
        ({"calls": (), "expected": None, "base_calls": 0}, "own/1: has neither calls nor tests"),
        ({"calls": ((float("nan"),),), "expected": (1,)}, "own/1: none of its calls can be written down"),
    ],
)
def test_a_problem_that_cannot_judge_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        code_tasks([replace(PROBLEM, **changes)], "{prompt}")  # type: ignore[arg-type]


def test_a_task_of_another_kind_is_told_so() -> None:
    with pytest.raises(DataError, match="task bank/1: its facts have no prompt, entry_point"):
        problem_of(Task("bank/1", (), None, {"accounts": {}}))
