"""Programming problems as tasks: the question is asked as `data/problems/chats.py` asks it, and the facts are the problem that programs are judged
by.

Answers have to be known: of calls whose answers the problem does not state somebody has to ask the canonical program first
(`pipelines/prepare_tasks.py` does), so that an environment only compares.

Trap: facts are JSON, and values are Python's (tuples, sets), so these are written as literals. A call with a value that has none (an infinity) is
left out, and said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from ray_pipeline.data.chats.table import conversations
from ray_pipeline.data.problems.chats import problem_chats
from ray_pipeline.data.problems.literals import literal_of, value_of
from ray_pipeline.data.problems.problem import Comparison, Problem
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.errors import DataError

logger = logging.getLogger(__name__)
_PLAIN: Final = ("prompt", "entry_point", "canonical", "tests")


def code_tasks(problems: Iterable[Problem], instruction: str) -> list[Task]:
    """A task for each problem. `{prompt}` in the instruction is the problem's own text, `{entry_point}` its function's name."""
    every = list(problems)
    chats = conversations(problem_chats(every, instruction))
    return [Task(one.task_id, chat.messages, None, facts_of(one)) for one, chat in zip(every, chats, strict=True)]


def facts_of(problem: Problem) -> dict[str, Any]:
    """The problem as JSON."""
    if problem.calls and problem.expected is None:
        raise DataError(f"problem {problem.task_id}: states no answers to its calls; ask its canonical program for them first")
    if not problem.calls and problem.tests is None:
        raise DataError(f"problem {problem.task_id}: has neither calls nor tests, so no program can be judged by it; leave it out")
    kept: list[tuple[str, str]] = []
    base = 0
    for place, pair in enumerate(zip(problem.calls, problem.expected or (), strict=True)):
        try:
            written = tuple(literal_of(value, f"problem {problem.task_id}: call {place}") for value in pair)
        except DataError as refusal:
            logger.warning("%s; the call is left out", refusal)
            continue
        kept.append((written[0], written[1]))
        base += place < problem.base_calls
    if problem.calls and not kept:
        raise DataError(f"problem {problem.task_id}: none of its calls can be written down; leave the problem out")
    return {
        **{name: getattr(problem, name) for name in _PLAIN},
        "calls": [call for call, _ in kept],
        "expected": [answer for _, answer in kept],
        "base_calls": base,
        "comparison": asdict(problem.comparison),
        "stressed": [literal_of(call, f"problem {problem.task_id}: stressed[{place}]") for place, call in enumerate(problem.stressed)],
    }


def problem_of(task: Task) -> Problem:
    """The problem of such a task."""
    facts = task.facts
    missing = [name for name in (*_PLAIN, "calls", "expected", "base_calls", "comparison", "stressed") if name not in facts]
    if missing:
        raise DataError(
            f"task {task.task_id}: its facts have no {', '.join(missing)}, so no program can be judged; make such tasks with tasks.kind=code"
        )
    calls, expected, stressed = (_values(task.task_id, facts, name) for name in ("calls", "expected", "stressed"))
    plain = {name: facts[name] for name in _PLAIN}
    comparison = Comparison(**facts["comparison"])
    return Problem(task.task_id, **plain, calls=calls, base_calls=facts["base_calls"], expected=expected, comparison=comparison, stressed=stressed)


def _values(task_id: str, facts: Mapping[str, Sequence[str]], name: str) -> tuple[Any, ...]:
    return tuple(value_of(text, f"task {task_id}: {name}[{place}]") for place, text in enumerate(facts[name]))
