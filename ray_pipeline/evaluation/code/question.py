"""A problem made ready to judge many programs by: arguments encoded once, answers of the canonical program known, a time to wait.

Problems whose file states no answers have their canonical program asked, in the sandbox like any other: it is data from a file, too. evalplus runs
the base calls and the others in two processes, so a program that remembers things may answer differently; here they are two parts as well.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ray_pipeline.config import Settings, identity
from ray_pipeline.data.problems.problem import Arguments, Comparison, Problem
from ray_pipeline.data.problems.told import told
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.code_answers import as_expected, comparisons_in_order
from ray_pipeline.sandbox.inside import plain
from ray_pipeline.sandbox.sandbox import Sandbox

logger = logging.getLogger(__name__)
TOO_MUCH: Final = ("memory", "output", "timeout", "malformed")  # the last: more values than are read
MOST_LEFT_OUT: Final = 8  # calls of a part: a canonical program that fails at more is itself at fault


class PatienceSettings(Settings):
    """How long a program may take to be right. Not how fast it is: that is another question, asked of programs that are right."""

    least: float = identity(2.0, "seconds that any program may take", gt=0)
    times: float = identity(10.0, "and this many times what the canonical program took", ge=0)
    canonical: float = identity(60.0, "seconds that a canonical program may take itself", gt=0)


@dataclass(frozen=True)
class Part:
    """Calls that are made in one process, and what is right."""

    calls: Sequence[Arguments]
    encoded: Sequence[bytes]
    expected: Sequence[Any]
    comparisons: Sequence[Comparison]
    wall: float

    def __len__(self) -> int:
        return len(self.calls)


@dataclass(frozen=True)
class Question:
    """A problem as programs are asked it: by calls in one or two parts, or by tests that are a program."""

    problem: Problem
    parts: Sequence[Part]
    wall: float  # of tests


def question(problem: Problem, sandbox: Sandbox, patience: PatienceSettings) -> Question:
    """The problem ready to be asked; a canonical program that fails is refused by name, since no verdict could be trusted."""
    if not problem.calls:
        if problem.tests is None:
            raise DataError(f"problem {problem.task_id}: has neither calls nor tests, so no program can be judged by it")
        return Question(problem, (), patience.least)
    parts = []
    for start, stop in ((0, problem.base_calls), (problem.base_calls, len(problem.calls))):
        if start < stop:
            parts.append(_part(problem, start, stop, sandbox, patience))
    return Question(problem, parts, patience.least)


def _canonical_answers(
    problem: Problem, start: int, encoded: Sequence[bytes], sandbox: Sandbox, patience: PatienceSettings
) -> tuple[dict[int, Any], float, set[int]]:
    """What the canonical program answers to each call, how long it took, and the calls that ask for more than may be asked: these are left out for
    every program (Mbpp/255 has one whose answer is 1.7 million tuples of 77 words)."""
    answers: dict[int, Any] = {}
    too_much: set[int] = set()
    seconds, at = 0.0, 0
    while at < len(encoded):
        found = sandbox.call_encoded(told(problem.canonical or "", problem), problem.entry_point, encoded[at:], wall=patience.canonical)
        answers |= {at + number: answer for number, answer in enumerate(found.answers)}
        at += len(found.answers)
        if found.ended == "finished":
            return answers, seconds + found.seconds, too_much
        in_all = found.ended == "output" and bool(found.answers)  # all of its answers together: leaving this one out would not help others
        if found.ended not in TOO_MUCH or in_all or len(too_much) == MOST_LEFT_OUT:
            raise DataError(
                f"problem {problem.task_id}: its canonical program ended with {found.ended} at call {start + at}: {found.detail} "
                "(mend or leave out the problem, or raise judge.patience.canonical or sandbox.limits)"
            )
        logger.warning(
            "problem %s: call %d is left out: its canonical program ended with %s there (%s)", problem.task_id, start + at, found.ended, found.detail
        )
        too_much.add(at)
        at += 1
    return answers, seconds, too_much


def _part(problem: Problem, start: int, stop: int, sandbox: Sandbox, patience: PatienceSettings) -> Part:
    calls: Sequence[Arguments] = problem.calls[start:stop]
    encoded = [plain.encode(list(one)) for one in calls]
    wall = patience.least
    if problem.expected is not None:
        expected: Sequence[Any] = problem.expected[start:stop]
    elif problem.canonical is None:
        raise DataError(f"problem {problem.task_id}: states no answers and has no canonical program to ask for them")
    else:
        answers, seconds, too_much = _canonical_answers(problem, start, encoded, sandbox, patience)
        kept = [place for place in range(len(calls)) if place not in too_much]
        if not kept:
            raise DataError(f"problem {problem.task_id}: none of its calls can be asked, all want more than a program may use; leave the problem out")
        calls, encoded = [calls[place] for place in kept], [encoded[place] for place in kept]
        expected = [as_expected(answers[place], problem.comparison) for place in kept]
        wall += patience.times * seconds
    return Part(calls, encoded, expected, comparisons_in_order(expected, problem.comparison), wall)
