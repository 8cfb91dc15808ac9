"""Whether a program is right: it is asked in the sandbox, and its answers are compared out here, one by one as they come.

The first wrong answer ends the program, so most that are wrong are soon known to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ray_pipeline.data.problems.told import told
from ray_pipeline.evaluation.code.question import Part, Question
from ray_pipeline.metrics.code_answers import answers_agree
from ray_pipeline.sandbox.outcome import Ended, Outcome
from ray_pipeline.sandbox.sandbox import Sandbox

Reason = Literal["passed", "wrong"] | Ended
SHOWN = 200  # characters of a wrong answer


@dataclass(frozen=True)
class Verdict:
    """What is known of a program."""

    passed: bool
    passed_base: bool  # the base benchmark's calls alone, where a problem has more
    reason: Reason
    detail: str
    seconds: float  # by the clock, of all its processes
    cpu: float
    level: str  # of the sandbox
    live: bool  # tests and program shared a process, so the program could have forged this


def judge(question: Question, text: str, sandbox: Sandbox, live: bool = False) -> Verdict:
    """The verdict on a program's text. `live` is for tests that need more than plain data, and is recorded."""
    problem = question.problem
    if not question.parts:
        assert problem.tests is not None  # `question` saw to it
        found = sandbox.check(text, problem.entry_point, problem.tests, live=live, wall=question.wall)
        passed = found.ended == "finished"
        return Verdict(passed, passed, "passed" if passed else found.ended, found.detail, found.seconds, found.cpu, found.held.level, live)
    program = told(text, problem)
    seconds = cpu = 0.0
    base = True
    for part in question.parts:
        found = _asked(part, program, problem.entry_point, sandbox)
        seconds, cpu = seconds + found.seconds, cpu + found.cpu
        if found.ended != "finished":
            base = part is not question.parts[0] or problem.base_calls == 0
            reason, detail = _why(part, found)
            return Verdict(False, base, reason, detail, seconds, cpu, found.held.level, False)
    return Verdict(True, base, "passed", "", seconds, cpu, found.held.level, False)


def _asked(part: Part, program: str, entry_point: str, sandbox: Sandbox) -> Outcome:
    def right(place: int, answer: object) -> bool:
        return answers_agree(answer, part.expected[place], part.calls[place], part.comparisons[place])

    return sandbox.call_encoded(program, entry_point, part.encoded, accept=right, wall=part.wall)


def _why(part: Part, found: Outcome) -> tuple[Reason, str]:
    if found.ended != "unwanted":
        return found.ended, found.detail
    place = len(found.answers) - 1
    got, expected = map(_shown, (found.answers[place], part.expected[place]))
    return "wrong", f"call {place} answered {got} where {expected} is right"


def _shown(value: object) -> str:
    try:
        return repr(value)[:SHOWN]
    except (ValueError, RecursionError, MemoryError):  # an integer of too many digits, a value nested too deeply
        return f"a {type(value).__name__} too large to show"
