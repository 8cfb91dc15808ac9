"""Pairs of all problems by one strategy, and why a problem gave none.

What is drawn for a problem is a function of the seed, the strategy and its task_id: other problems and the order of the input change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.data.draw import Draw
from ray_pipeline.data.pairs.duplicates import distinct
from ray_pipeline.data.pairs.mutual_scores import scores_by_sample
from ray_pipeline.data.pairs.settings import PairSettings, Strategy
from ray_pipeline.data.pairs.solution import Problem, Solution, by_problem
from ray_pipeline.data.pairs.strategies import RULES, Allowed, By, Missing, Ordered
from ray_pipeline.errors import DataError

Passes = Mapping[str, Mapping[int, Sequence[bool]]]  # task_id -> sample -> whether it passes each of the problem's self-made tests


@dataclass(frozen=True)
class Pair:
    """Two solutions of a problem, the preferred one first, and why it is."""

    task_id: str
    prompt: str
    chosen: str
    rejected: str
    kind: Strategy
    by: By
    chosen_sample: int
    rejected_sample: int
    chosen_seconds: float | None
    rejected_seconds: float | None
    ratio: float | None  # by time: rejected_seconds over chosen_seconds
    chosen_score: float | None  # codedpo: mutual scores
    rejected_score: float | None
    rejected_reason: str
    weight: float = 1.0


@dataclass(frozen=True)
class PairReport:
    """What became of the solutions and problems."""

    problems: int
    solutions: int
    duplicates: int  # copies of a program that were left out
    contradicted: int  # copies of a program of which some passed and some failed: all left out
    untimed: int  # distinct passing solutions without a time: in no pair by time
    timed_once: int  # distinct passing solutions whose spread is not known
    pairs: int
    problems_without: int  # that gave no pair at all
    missing: Mapping[Missing, int]  # why a rule gave a problem no pair; a strategy of two rules may count a problem twice
    withdrawn: int  # pairs by time that repeat or contradict a pair by correctness


@dataclass(frozen=True)
class PairSet:
    pairs: tuple[Pair, ...]
    report: PairReport


def make_pairs(solutions: Iterable[Solution], settings: PairSettings, passes: Passes | None = None) -> PairSet:
    """The pairs of `settings.strategy`; `passes` is for codedpo alone."""
    if (settings.strategy == "codedpo") != (passes is not None):
        raise DataError(f"strategy={settings.strategy}: `passes`, the outcomes of self-made tests, is given with strategy=codedpo, and only there")
    counts: Counter[str] = Counter()
    missing: Counter[Missing] = Counter()
    pairs: list[Pair] = []
    for task_id, given in by_problem(solutions).items():
        kept = distinct(given)
        problem = Problem(task_id, given[0].prompt, kept.solutions, None if passes is None else _scores(task_id, given, passes, settings))
        timed_once = sum(one.spread is None for one in problem.by_time)
        untimed = len(problem.passing) - len(problem.by_time)
        found, withdrawn = _pairs_of(problem, settings, missing)
        pairs += found
        counts.update(problems=1, solutions=len(given), duplicates=kept.duplicates, contradicted=kept.contradicted, withdrawn=withdrawn)
        counts.update(untimed=untimed, timed_once=timed_once, problems_without=not found)
    names = ("problems", "solutions", "duplicates", "contradicted", "untimed", "timed_once", "problems_without", "withdrawn")
    return PairSet(tuple(pairs), PairReport(pairs=len(pairs), missing=dict(missing), **{name: int(counts[name]) for name in names}))


def _pairs_of(problem: Problem, settings: PairSettings, missing: Counter[Missing]) -> tuple[list[Pair], int]:
    """The pairs of a problem, and how many were withdrawn."""
    found: list[Pair] = []
    withdrawn = 0
    for rule in RULES[settings.strategy]:
        allowed = rule(problem, settings)
        if allowed.missing is not None:
            missing[allowed.missing] += 1
        met = {frozenset((pair.chosen_sample, pair.rejected_sample)) for pair in found}
        for chosen, rejected in _taken(problem, settings, allowed):
            if frozenset((chosen.sample, rejected.sample)) in met:  # one pair twice, or once each way round
                withdrawn += 1
            else:
                found.append(_pair(problem, settings.strategy, allowed.by, chosen, rejected))
    return found, withdrawn


def _taken(problem: Problem, settings: PairSettings, allowed: Allowed) -> list[Ordered]:
    most = min(settings.pairs_per_problem, len(allowed.pairs))
    if allowed.ranked or most == len(allowed.pairs):
        return list(allowed.pairs[:most])
    drawn = Draw(f"{settings.seed}/{settings.strategy}/{allowed.by}/{problem.task_id}").some(range(len(allowed.pairs)), most)
    return [allowed.pairs[place] for place in sorted(drawn)]


def _pair(problem: Problem, kind: Strategy, by: By, chosen: Solution, rejected: Solution) -> Pair:
    ratio = None
    if by == "time" and chosen.seconds is not None and rejected.seconds is not None:
        ratio = rejected.seconds / chosen.seconds
    scores = problem.scores or {}
    return Pair(
        problem.task_id,
        problem.prompt,
        chosen.text,
        rejected.text,
        kind,
        by,
        chosen.sample,
        rejected.sample,
        chosen.seconds,
        rejected.seconds,
        ratio,
        scores.get(chosen.sample),
        scores.get(rejected.sample),
        rejected.reason,
    )


def _scores(task_id: str, given: Sequence[Solution], passes: Passes, settings: PairSettings) -> dict[int, float]:
    """Scores by sample. Copies of a program vote too: that a model writes it often is what the scores are made of."""
    if task_id not in passes:
        raise DataError(f"problem {task_id!r}: `passes` says nothing of it; run its solutions on their self-made tests, or leave the problem out")
    samples = {one.sample for one in given}
    if samples != passes[task_id].keys():
        apart = sorted(samples ^ passes[task_id].keys())
        raise DataError(f"problem {task_id!r}: sample {apart[0]} is among the solutions or in `passes`, but not in both ({len(apart)} such)")
    return scores_by_sample(task_id, passes[task_id], settings.mutual)
