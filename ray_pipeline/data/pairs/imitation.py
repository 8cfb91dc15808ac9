"""Solutions that a model is trained to write: all that pass, the fastest share of them, or the fastest one of each problem.

Code-Optimise trains on the fastest quarter (its `top_p` of 25) before it trains on pairs. Copies of a program stand once. Where solutions are
ranked by time, those without one are left out and counted; times that differ by noise alone are ranked as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ray_pipeline.data.pairs.duplicates import distinct
from ray_pipeline.data.pairs.settings import ImitationSettings
from ray_pipeline.data.pairs.solution import Problem, Solution, by_problem
from ray_pipeline.data.pairs.strategies import at_least_one


@dataclass(frozen=True)
class ImitationSet:
    """The solutions, and of how many problems. `without`: problems that gave none; `untimed`: passing solutions that could not be ranked."""

    solutions: tuple[Solution, ...]
    problems: int
    without: int
    untimed: int


def imitation_set(solutions: Iterable[Solution], settings: ImitationSettings) -> ImitationSet:
    """What of `solutions` is imitated."""
    found: list[Solution] = []
    problems = without = untimed = 0
    for task_id, given in by_problem(solutions).items():
        problem = Problem(task_id, given[0].prompt, distinct(given).solutions)
        kept = _kept(problem, settings)
        problems, without = problems + 1, without + (not kept)
        if settings.keep != "passing":
            untimed += len(problem.passing) - len(problem.by_time)
        found += kept
    return ImitationSet(tuple(found), problems, without, untimed)


def _kept(problem: Problem, settings: ImitationSettings) -> tuple[Solution, ...]:
    if settings.keep == "passing":
        return problem.passing
    count = 1 if settings.keep == "fastest" else at_least_one(settings.share, len(problem.by_time))
    return problem.by_time[:count]
