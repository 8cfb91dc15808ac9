"""Programs as replies: judged by their tests, answered by the first that fails, timed where that is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ray_pipeline.data.problems.generated import generated_problems
from ray_pipeline.data.problems.problem import Problem
from ray_pipeline.data.tasks.code import code_tasks
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.rollout.environments.code import CodeEnvironments
from ray_pipeline.rollout.environments.environment import Standing
from ray_pipeline.rollout.environments.settings import EnvironmentSettings
from tests.rollout.environments.replies import said

CALLS = ((2,), (3,), (0,), (-4,))
SQUARE = Problem("own/1", "def f(x):\n    '''The square.'''\n", "f", "def f(x):\n    return x * x", CALLS, 2, (4, 9, 0, 16), None)
CHECKED = Problem("own/2", "", "f", None, (), 0, None, "def check(f):\n    assert f(2) == 4, 'two'")
(TASK, TESTED) = code_tasks([SQUARE, CHECKED], "{prompt}")


@pytest.fixture(scope="module")
def environments() -> Iterator[CodeEnvironments]:
    found = CodeEnvironments(EnvironmentSettings(kind="code", seconds=2.0))
    yield found
    found.close()


def played(environments: CodeEnvironments, task: Task, *replies: str) -> tuple[list[str], Standing]:
    environment = environments.begin(task)
    told = [[one.content or "" for one in environment.answer(said(reply))] for reply in replies]
    return [one for each in told for one in each], environment.standing()


@pytest.mark.parametrize(
    ("reply", "worth", "why"),
    [
        ("def f(x): return x * x", 1.0, None),
        ("<think>def f(x): return 0</think>Here:\n```python\ndef f(x):\n    return x ** 2\n```\nDone.", 1.0, None),
        ("    return x * x", 1.0, None),  # it goes on from the prompt
        ("def f(x): return abs(x) * x", 0.75, "f(-4) answers -16, and 16 is right."),
        ("def f(x): return 4 if x == 2 else 1 // x * 0", 0.25, "f(3) answers 0, and 9 is right."),
        ("def f(x): return x * x * (1 // x or 1)", 0.5, "f(0): ZeroDivisionError"),
        ("def f(x): return x * x if x != 0 else 1 // 0", 0.75, "f(0): ZeroDivisionError"),
        ("def f(x): raise KeyError(x)", 0.0, "f(2): KeyError: 2"),
        ("def g(x): return x * x", 0.0, "f(2) answers None, and 4 is right."),
        ("def f(x) return x", 0.0, "SyntaxError: "),
        ("import os\ndef f(x): os.fork()", 0.0, "f(2): "),
        ("", 0.0, "There is no program."),
        ("<think>def f(x): return x * x</think>", 0.0, "There is no program."),
    ],
)
def test_a_program_is_worth_the_share_of_tests_that_it_passes(environments: CodeEnvironments, reply: str, worth: float, why: str | None) -> None:
    told, standing = played(environments, TASK, reply)
    assert standing == Standing(worth)
    if why is None:
        assert told == []
    else:
        assert len(told) == 1 and told[0].startswith(why) and told[0].endswith(" Write the program again.")


def test_the_last_try_counts(environments: CodeEnvironments) -> None:
    assert played(environments, TASK, "def f(x): return 4", "def f(x): return x * x")[1].worth == 1.0
    told, standing = played(environments, TASK, "def f(x): return x * abs(x)", "def f(x): return 4")
    assert played(environments, TASK, "def f(x): return 4", "")[1].worth == 0.0
    assert [one.split(" answers")[0] for one in told] == ["f(-4)", "f(3)"] and standing.worth == 0.25


def test_a_program_that_hangs_costs_its_time_once(environments: CodeEnvironments) -> None:
    started = time.monotonic()
    told, standing = played(environments, TASK, "def f(x):\n    while x != 2: pass\n    return 4")
    assert time.monotonic() - started < 6
    assert standing.worth == 0.25 and told[0].startswith("f(3) takes longer than 2 s.")


def test_the_time_is_for_all_tests_together(environments: CodeEnvironments) -> None:
    """The first two calls use up most of it; the others are asked of a process of their own."""
    told, standing = played(environments, TASK, "import time\ndef f(x):\n    time.sleep(0.8)\n    return x * x")
    assert standing.worth == 0.5 and told[0].startswith("f(0) takes longer than 2 s.")


def test_the_base_calls_and_the_others_have_a_process_each(environments: CodeEnvironments) -> None:
    """As evalplus has it: a program forgets in between."""
    assert played(environments, TASK, "seen = []\ndef f(x):\n    seen.append(x)\n    return x * x if len(seen) < 3 else None") == ([], Standing(1.0))


def test_tests_that_are_a_program(environments: CodeEnvironments) -> None:
    assert played(environments, TESTED, "def f(x): return x * x") == ([], Standing(1.0))
    told, standing = played(environments, TESTED, "def f(x): return 3")
    assert standing == Standing(0.0) and told[0].startswith("The tests end with assertion: AssertionError: two")


def test_generated_problems_judge_their_own_solutions(environments: CodeEnvironments) -> None:
    problems = generated_problems(6, seed=5)
    for one, task in zip(problems, code_tasks([one.problem for one in problems], "{prompt}"), strict=True):
        for solution in one.solutions:
            assert played(environments, task, solution.text) == ([], Standing(1.0)), solution.name
        for wrong in one.wrong:
            assert played(environments, task, wrong)[1].worth < 1


def test_what_is_told_can_be_read_by_any_tokenizer(environments: CodeEnvironments) -> None:
    told, _ = played(environments, TASK, "def f(x): return '\\ud800' + 'x' * 10_000")
    assert len(told[0]) < 300
    told[0].encode()


def test_speed_is_the_other_programs_time_over_its_own() -> None:
    (one,) = generated_problems(1, seed=0, families=["best_run"])
    (task,) = code_tasks([one.problem], "{prompt}")
    environments = CodeEnvironments(EnvironmentSettings(kind="code", speed=True))
    try:
        slow, fast = (played(environments, task, solution.text)[1].speed for solution in (one.solutions[0], one.solutions[-1]))
        assert slow is not None and fast is not None
        assert slow < 0.3 and 0.3 < fast < 3  # n^3 against n, and a program against itself
        assert played(environments, task, one.wrong[0])[1].speed is None
        small = one.problem.calls
        table = "TABLE = {" + ", ".join(f"{call[0]!r}: {answer!r}" for call, answer in zip(small, one.problem.expected or (), strict=True)) + "}"
        known = table.replace("[", "(").replace("]", ",)").replace("(,)", "()") + "\ndef best_run(numbers): return TABLE.get(tuple(numbers), 0)"
        assert played(environments, task, known)[1] == Standing(1.0)  # right where it is judged, wrong where it is timed
    finally:
        environments.close()
