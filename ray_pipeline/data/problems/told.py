"""Programs whose answers can be told across a wall of plain values.

Three functions of MBPP+ answer with a match of a regular expression, and all that counts is whether it is None. Their programs get a last
part that answers True in the match's place; None and truth values, which are judged as they are, stay.
"""

from __future__ import annotations

from typing import Final

from ray_pipeline.data.problems.problem import Problem

_LAST_PART: Final = """

def _told(function):
    def answer(*arguments):
        answered = function(*arguments)
        return answered if answered is None or isinstance(answered, bool) else True
    return answer


{name} = _told({name})
"""


def told(program: str, problem: Problem) -> str:
    """`program`, which solves or tries to solve `problem`, such that its answers are plain values wherever they should be."""
    return program + _LAST_PART.format(name=problem.entry_point) if problem.comparison.kind == "not_none" else program
