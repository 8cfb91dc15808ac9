"""A problem's tests: the share of them that a program passes, the first that it fails, and how fast it is.

Each call is a test. A call that raises ends the program's process, so the calls behind it are asked of a new one, a few times; the verdicts of
`evaluation/code/` need no share and stop at the first. `seconds` is for all tests of a program together: what is not answered by then has failed, so
a program that hangs costs that long and no more.

Speed: a program takes turns with the problem's own on its large inputs, each run in a fresh process that makes each call once, so nothing can be
remembered from run to run; the ratio is the other's median over its own, above 1 where it is faster. None: nothing to time by, or another answer than
the problem's own program gives there.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ray_pipeline.data.problems.problem import Arguments, Comparison, Problem
from ray_pipeline.data.problems.told import told
from ray_pipeline.metrics.code_answers import answers_agree, as_expected, comparisons_in_order
from ray_pipeline.sandbox.inside import plain
from ray_pipeline.sandbox.outcome import Outcome
from ray_pipeline.sandbox.sandbox import Sandbox

AGAIN: Final = 8  # new processes for the calls behind one that raised
HOPELESS: Final = ("syntax", "missing", "timeout")  # the next call would fail alike, or there is no time for it
SHOWN: Final = 200  # characters of a value
ROUNDS: Final = 5  # runs of each program to take its time by


@dataclass(frozen=True)
class Score:
    """`why`: what the first failing test says."""

    passed: int
    tests: int
    why: str | None = None


class ProgramTests:
    """A problem's tests, made ready to run many programs."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        ends = sorted({0, problem.base_calls, len(problem.calls)})
        self._parts = [self._part(start, stop) for start, stop in itertools.pairwise(ends)]  # each is asked of a process of its own

    def tested(self, program: str, sandbox: Sandbox, seconds: float) -> Score:
        if not self._parts:
            found = sandbox.check(program, self.problem.entry_point, self.problem.tests or "", wall=seconds)
            return Score(1, 1) if found.ended == "finished" else Score(0, 1, f"The tests end with {found.ended}: {found.detail}")
        deadline = time.monotonic() + seconds
        each = [part.tested(program, sandbox, deadline, seconds) for part in self._parts]
        return Score(sum(one.passed for one in each), len(self.problem.calls), next((one.why for one in each if one.why is not None), None))

    def speed(self, program: str, sandbox: Sandbox, seconds: float) -> float | None:
        """The time of the problem's own program over that of `program`, or None."""
        calls = self.problem.stressed or self.problem.calls
        if not calls or self.problem.canonical is None:
            return None
        encoded = [plain.encode(list(one)) for one in calls]

        def timed(text: str) -> Outcome:
            return sandbox.time(text, self.problem.entry_point, encoded, 1, None, seconds)

        own = told(self.problem.canonical, self.problem)
        first, other = timed(own), timed(program)
        if first.ended != "finished" or other.ended != "finished":
            return None
        expected = [as_expected(answer, self.problem.comparison) for answer in first.answers]
        comparisons = comparisons_in_order(expected, self.problem.comparison)
        if not all(answers_agree(*one) for one in zip(other.answers, expected, calls, comparisons, strict=True)):
            return None
        rounds = [(timed(own), timed(program)) for _ in range(ROUNDS)]
        if not all(one.ended == "finished" for pair in rounds for one in pair):
            return None
        theirs, ours = (statistics.median(sum(pair[side].times) for pair in rounds) for side in (0, 1))
        return theirs / max(ours, 1e-9)

    def _part(self, start: int, stop: int) -> _Part:
        expected = (self.problem.expected or ())[start:stop]
        calls = self.problem.calls[start:stop]
        return _Part(
            self.problem.entry_point,
            calls,
            [plain.encode(list(one)) for one in calls],
            expected,
            comparisons_in_order(expected, self.problem.comparison),
        )


@dataclass(frozen=True)
class _Part:
    """Calls that are made in one process while none of them raises."""

    entry_point: str
    calls: Sequence[Arguments]
    encoded: Sequence[bytes]
    expected: Sequence[Any]
    comparisons: Sequence[Comparison]

    def tested(self, program: str, sandbox: Sandbox, deadline: float, seconds: float) -> Score:
        passed, at, why = 0, 0, None
        for _ in range(1 + AGAIN):
            left = deadline - time.monotonic()
            if at == len(self.calls) or left <= 0:
                break
            found = sandbox.call_encoded(program, self.entry_point, self.encoded[at:], wall=left)
            for answer in found.answers:
                right = answers_agree(answer, self.expected[at], self.calls[at], self.comparisons[at])
                passed += right
                why = why if right or why is not None else f"{self._call(at)} answers {_shown(answer)}, and {_shown(self.expected[at])} is right."
                at += 1
            if found.ended == "finished":
                break
            why = why or self._ended(at, found, seconds)
            if found.ended in HOPELESS:
                break
            at += 1
        if passed < len(self.calls) and why is None:
            why = f"{self._call(at)} was not reached within {seconds:g} s."
        return Score(passed, len(self.calls), why)

    def _ended(self, place: int, found: Outcome, seconds: float) -> str:
        if found.ended in ("syntax", "missing"):  # no call's fault
            return f"{found.detail}."
        return f"{self._call(place)} takes longer than {seconds:g} s." if found.ended == "timeout" else f"{self._call(place)}: {found.detail}."

    def _call(self, place: int) -> str:
        return f"{self.entry_point}({', '.join(map(_shown, self.calls[place]))})"


def _shown(value: object) -> str:
    try:
        return repr(value)[:SHOWN]
    except (ValueError, RecursionError, MemoryError):  # an integer of too many digits, a value nested too deeply
        return f"a {type(value).__name__} too large to show"
