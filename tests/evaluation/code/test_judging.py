"""Judging: right programs pass, wrong ones fail for the reason they fail, on our own problems and on the published ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ray_pipeline.data.problems.families import FAMILIES
from ray_pipeline.data.problems.generated import generated_problems
from ray_pipeline.data.problems.mutants import mutants
from ray_pipeline.data.problems.problem import Comparison, Problem
from ray_pipeline.data.problems.registry import read_problems
from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.code.judging import Verdict, judge
from ray_pipeline.evaluation.code.question import PatienceSettings, question
from ray_pipeline.sandbox.sandbox import Sandbox
from ray_pipeline.sandbox.settings import SandboxSettings

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
PATIENCE = PatienceSettings()
SQUARE = Problem("own/1", "def f(x):", "f", "def f(x):\n    return x * x", ((2,), (3,), (0.5,)), 2, None, None)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings()) as found:
        yield found


def verdict(sandbox: Sandbox, problem: Problem, text: str) -> Verdict:
    return judge(question(problem, sandbox, PATIENCE), text, sandbox)


LARGE = "def f(n):\n    return sum([1] * n) if n > 0 else [0] * -n"  # what is large asks for 80 GB


def test_a_call_that_asks_for_more_than_may_be_asked_is_left_out(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """And said; the others judge programs as before, also behind it."""
    problem = Problem("own/9", "", "f", LARGE, ((3,), (10**10,), (5,), (-(10**10),), (-2,)), 2, None, None)
    asked = question(problem, sandbox, PATIENCE)
    assert [[call[0] for call in part.calls] for part in asked.parts] == [[3], [5, -2]]
    assert [tuple(part.expected) for part in asked.parts] == [(3,), (5, [0, 0])]
    assert [record.message.split(":")[1].strip() for record in caplog.records] == ["call 1 is left out", "call 3 is left out"]
    assert judge(asked, LARGE, sandbox).passed
    assert judge(asked, "def f(n): return n", sandbox).reason == "wrong"
    with pytest.raises(DataError, match="own/9: none of its calls can be asked"):
        question(replace(problem, calls=((10**10,),), base_calls=1), sandbox, PATIENCE)


def test_a_right_program_passes(sandbox: Sandbox) -> None:
    found = verdict(sandbox, SQUARE, "def f(x): return x ** 2")
    assert (found.passed, found.passed_base, found.reason, found.level) == (True, True, "passed", sandbox.held.level)
    assert found.cpu > 0


def test_the_base_benchmark_is_told_apart(sandbox: Sandbox) -> None:
    """Right for whole numbers, which are the base calls; wrong for the half."""
    found = verdict(sandbox, SQUARE, "def f(x): return int(x * x)")
    assert (found.passed, found.passed_base, found.reason) == (False, True, "wrong")
    assert found.detail == "call 0 answered 0 where 0.25 is right"
    assert not verdict(sandbox, SQUARE, "def f(x): return 4").passed_base


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(x) return x", "syntax"),
        ("def g(x): return x * x", "missing"),
        ("def f(x, y): return x * x", "exception"),
        ("def f(x):\n    while True: pass", "timeout"),
        ("def f(x): return iter([x * x])", "unspeakable"),
        ("import sys\nsys.exit(0)", "exit"),
        ("class Yes:\n    def __eq__(self, other): return True\ndef f(x): return Yes()", "unspeakable"),
        ("class Yes(float):\n    def __eq__(self, other): return True\ndef f(x): return Yes(-1)", "wrong"),
        ("def f(x): return float('nan')", "wrong"),
        ("import os\ndef f(x): os.system('true'); os.fork()", "forbidden"),
    ],
)
def test_each_failure_has_its_reason(sandbox: Sandbox, text: str, reason: str) -> None:
    assert verdict(sandbox, SQUARE, text).reason == reason


def test_tests_that_are_programs(sandbox: Sandbox) -> None:
    problem = Problem("own/2", "", "f", None, (), 0, None, "def check(candidate):\n    assert candidate(2) == 4\n")
    assert verdict(sandbox, problem, "def f(x): return 2 * x").passed
    failed = verdict(sandbox, problem, "def f(x): return 3 * x")
    assert (failed.passed, failed.passed_base, failed.reason) == (False, False, "assertion")


def test_live_tests_are_recorded_as_such(sandbox: Sandbox) -> None:
    problem = Problem("own/3", "", "f", None, (), 0, None, "def check(candidate):\n    assert next(candidate(2)) == 2\n")
    asked = question(problem, sandbox, PATIENCE)
    text = "def f(x): yield x"
    over_the_wall = judge(asked, text, sandbox)
    assert (over_the_wall.passed, over_the_wall.live) == (False, False) and "generator" in over_the_wall.detail
    live = judge(asked, text, sandbox, live=True)
    assert (live.passed, live.live) == (True, True)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (Problem("own/4", "", "f", "def f(x): raise KeyError('x')", ((1,),), 1, None, None), "own/4: its canonical program ended with exception"),
        (Problem("own/5", "", "f", None, ((1,),), 1, None, None), "own/5: states no answers and has no canonical program"),
        (Problem("own/6", "", "f", None, (), 0, None, None), "own/6: has neither calls nor tests"),
    ],
)  # fmt: skip
def test_a_problem_that_cannot_judge_is_refused(sandbox: Sandbox, problem: Problem, said: str) -> None:
    with pytest.raises(DataError, match=said):
        question(problem, sandbox, PATIENCE)


@pytest.mark.parametrize("family", FAMILIES)
def test_generated_problems_judge_their_own_solutions(sandbox: Sandbox, family: str) -> None:
    """Every solution passes, every planted mistake fails."""
    for one in generated_problems(1, seed=3, families=[family]):
        asked = question(one.problem, sandbox, PATIENCE)
        assert [solution.name for solution in one.solutions if not judge(asked, solution.text, sandbox).passed] == []
        assert [wrong for wrong in one.wrong if judge(asked, wrong, sandbox).passed] == []


@pytest.mark.parametrize("path", ["humaneval_plus/HumanEvalPlus-Mini.jsonl.gz", "mbpp_plus/MbppPlus.jsonl.gz"])
def test_published_solutions_pass(sandbox: Sandbox, path: str) -> None:
    """A sample; all of them, and mutants against evalplus's verdicts, in benchmarks.sandbox."""
    if not (SHARED / path).exists():
        pytest.skip(f"{SHARED / path} is not there")
    problems = [one for one in read_problems("evalplus", str(SHARED / path))[::20] if sum(map(len, map(repr, one.calls))) < 100_000]
    assert len(problems) > 5
    for one in problems:
        found = verdict(sandbox, one, one.canonical or "")
        assert found.passed, (one.task_id, found)


def test_a_root_is_right_whichever_it_is(sandbox: Sandbox) -> None:
    """HumanEval/32, of which evalplus 0.3.1 fails every solution: it goes on to the next call before it notes that this one was right, then
    finds that not all calls were noted. What is asked is a root, not the canonical program's."""
    text = "def find_zero(xs):\n    return (-xs[1] + (xs[1] ** 2 - 4 * xs[2] * xs[0]) ** 0.5 * {sign}) / (2 * xs[2])"
    problem = Problem("HumanEval/32", "", "find_zero", text.format(sign=1), (([2, -3, 1],),), 1, None, None, Comparison("root", 1e-4))
    assert verdict(sandbox, problem, text.format(sign=1)).passed
    assert verdict(sandbox, problem, text.format(sign=-1)).passed  # the other root
    assert verdict(sandbox, problem, "def find_zero(xs): return 1.5").reason == "wrong"


def test_mutants_are_drawn_and_most_are_caught(sandbox: Sandbox) -> None:
    program = "def f(xs):\n    best = 0\n    for at, x in enumerate(xs):\n        if x > best and at < 3:\n            best = x + 1\n    return best"
    made = mutants(program, 20, seed=0)
    assert made == mutants(program, 20, seed=0) != mutants(program, 20, seed=1)
    assert len(set(made)) == len(made) >= 8
    problem = Problem("own/7", "", "f", program, (([],), ([1],), ([3, 2, 1, 9],), ([0, 0, 5, 5],), ([-1, 1, 2],)), 5, None, None)
    asked = question(problem, sandbox, PATIENCE)
    reasons = [judge(asked, text, sandbox).reason for text in made]
    assert reasons.count("passed") <= 2 and {"wrong", "exception"} >= set(reasons) - {"passed"}


@pytest.mark.parametrize(
    ("expected", "kind", "text"),
    [
        ([1.2345], "equal", "def f(): return [[]]"),  # nothing at all is not close to something
        ([[1.5], [2.5]], "equal", "def f(): return [[], []]"),
        ([1.5], "equal", "def f(): return [range(10 ** 12)]"),  # a few bytes that would be terabytes
        ([1.5] * 200, "equal", "def f(): return [[[1.5]] * 50000] * 2"),
        ([1.5] * 2, "equal", "def f(): return ['x' * 10 ** 7, 1.5]"),
        ([1, 2], "set", "def f(): return range(10 ** 12)"),
        ([1, 2], "set", "def f(): return [n * (2 ** 61 - 1) for n in range(40000)]"),
        (7, "equal", "def f(): return 1 << 20000"),
        (7, "equal", "def f(): return [1 << 20000]"),
    ],
)
def test_answers_made_to_hurt_the_judge_are_wrong(sandbox: Sandbox, expected: object, kind: str, text: str) -> None:
    problem = Problem("own/8", "", "f", None, ((),), 1, (expected,), None, Comparison(kind))  # type: ignore[arg-type]
    found = verdict(sandbox, problem, text)
    assert (found.passed, found.reason) == (False, "wrong")
