"""Which pairs of a problem each strategy allows.

From Code-Optimise (Gee et al. 2024, arXiv 2406.12502) come the ideas of `pvf`, passed versus failed, and `qvs`, quick versus slow among
the passing, and that both can be had together (`optimise`). How the sides are cut (halves), and all of `qsl`, `qts`, `qfs` and `qra`, which
no paper describes, are this project's reading of the names. `codedpo` is in mutual_scores.py.

A pair by time must be a difference that is there: `slower`. It asks for a ratio, since 1 microsecond of 1 second is nothing, and for a
distance beyond both programs' spreads, since a ratio of 1.1 between programs that vary by a third is nothing either. Of a program that was
run once the spread is not known and counts as 0: only the ratio speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ray_pipeline.data.pairs.mutual_scores import outranks
from ray_pipeline.data.pairs.settings import PairSettings, Strategy
from ray_pipeline.data.pairs.solution import Problem, Solution
from ray_pipeline.errors import DataError

By = Literal["correctness", "time"]
Missing = Literal["none passed", "none failed", "fewer than two timed", "all within noise", "all scored alike"]
Ordered = tuple[Solution, Solution]  # the preferred one first


@dataclass(frozen=True)
class Allowed:
    """The pairs that a rule allows for a problem. `ranked`: the first are taken; else they are drawn, each equally likely."""

    by: By
    pairs: tuple[Ordered, ...]
    missing: Missing | None  # why there are none
    ranked: bool = False


def slower(quick: Solution, slow: Solution, settings: PairSettings) -> bool:
    """Whether `slow` takes longer than `quick` by the minimum ratio and beyond the noise of both."""
    if quick.seconds is None or slow.seconds is None:
        return False
    noise = quick.seconds * (quick.spread or 0.0) + slow.seconds * (slow.spread or 0.0)
    apart = slow.seconds - quick.seconds
    return apart > settings.noise_margin * noise and slow.seconds >= settings.minimum_ratio * quick.seconds


def pvf(problem: Problem, settings: PairSettings) -> Allowed:
    """Any passing solution before any failing one."""
    pairs = tuple((good, bad) for good in problem.passing for bad in problem.failing)
    return Allowed("correctness", pairs, None if pairs else "none failed" if problem.passing else "none passed")


def qvs(problem: Problem, settings: PairSettings) -> Allowed:
    """One of the quick half before one of the slow half."""
    return _by_time(problem, settings, ((quick, slow) for quick in problem.quick for slow in problem.slow))


def qsl(problem: Problem, settings: PairSettings) -> Allowed:
    """The quickest before the slowest: one pair."""
    return _by_time(problem, settings, [(one, problem.by_time[-1]) for one in problem.quick[:1]])


def qts(problem: Problem, settings: PairSettings) -> Allowed:
    """One of the quick half before one of the slowest share."""
    top = problem.by_time[-at_least_one(settings.top_slow_share, len(problem.by_time)) :]
    return _by_time(problem, settings, ((quick, slow) for quick in problem.quick for slow in top))


def qfs(problem: Problem, settings: PairSettings) -> Allowed:
    """One of the quick half before the fastest of the slow half: the differences that are hardest to tell."""
    return _by_time(problem, settings, ((quick, slow) for quick in problem.quick for slow in problem.slow[:1]))


def qra(problem: Problem, settings: PairSettings) -> Allowed:
    """One of the quick half before any slower one, of the quick half too."""
    later = ((quick, slow) for place, quick in enumerate(problem.quick) for slow in problem.by_time[place + 1 :])
    return _by_time(problem, settings, later)


def codedpo_correctness(problem: Problem, settings: PairSettings) -> Allowed:
    """The highest score before the lowest, the second before the second last, ...: by mutual scores, not by verdicts."""
    scores = problem.scores
    if scores is None:
        raise DataError(
            f"problem {problem.task_id!r}: strategy=codedpo needs to know which tests each solution passes; give `passes` for the problem"
        )
    ranked = sorted(problem.solutions, key=lambda one: (-scores[one.sample], one.sample))
    pairs = tuple((high, low) for high, low in _ends_inwards(ranked) if outranks(scores[high.sample], scores[low.sample]))
    return Allowed("correctness", pairs, None if pairs else "all scored alike", ranked=True)


def codedpo_time(problem: Problem, settings: PairSettings) -> Allowed:
    """Of the passing the quickest before the slowest, the second before the second last, ..."""
    allowed = _by_time(problem, settings, _ends_inwards(problem.by_time))
    return Allowed(allowed.by, allowed.pairs, allowed.missing, ranked=True)


RULES: Final[Mapping[Strategy, tuple[Callable[[Problem, PairSettings], Allowed], ...]]] = {
    "pvf": (pvf,),
    "qvs": (qvs,),
    "qsl": (qsl,),
    "qts": (qts,),
    "qfs": (qfs,),
    "qra": (qra,),
    "optimise": (pvf, qvs),
    "codedpo": (codedpo_correctness, codedpo_time),
}


def at_least_one(share: float, count: int) -> int:
    """A share of so many, rounded down, and one at least. The small addition: 0.29 * 100 is 28.999999999999996."""
    return max(1, int(share * count + 1e-9))


def _by_time(problem: Problem, settings: PairSettings, proposed: Iterable[Ordered]) -> Allowed:
    pairs = tuple(pair for pair in proposed if slower(*pair, settings))
    return Allowed("time", pairs, None if pairs else "fewer than two timed" if len(problem.by_time) < 2 else "all within noise")


def _ends_inwards(ranked: Iterable[Solution]) -> list[Ordered]:
    order = list(ranked)
    return [(order[place], order[-1 - place]) for place in range(len(order) // 2)]
