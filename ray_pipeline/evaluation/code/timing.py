"""How fast right programs are: computing time of large inputs, each run in a fresh process, all programs of a problem by turns.

For each problem: the calls are its stressed ones, or the slowest of its others; where tests are all it has, those that the tests make. A call
is repeated until the canonical program (without one, the first right program) computes for `least_ms`, so that microseconds are not lost in
the clock. A first round warms caches and is thrown away. Then rounds follow, in each of which every program runs once, in an order drawn anew;
they end when the median of each is known to `target`, or at `most_rounds`. What disturbs the machine for a while so disturbs all programs of
a problem alike.

A program may give other answers on large inputs than it gave on small ones: then it is wrong there and has no time. Without a canonical program
nobody knows the answers, and the tests that the program passed have to do.

Trap: a repeated call lets a program remember its answers. Repeats are only made where the canonical program is too fast to be timed, arguments are
new each time, and every program has the same number of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ray_pipeline.config import Settings, identity
from ray_pipeline.data.draw import Draw
from ray_pipeline.data.problems.problem import Arguments, Problem
from ray_pipeline.data.problems.told import told
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.code_answers import answers_agree, as_expected, comparisons_in_order
from ray_pipeline.metrics.run_times import spread, steady
from ray_pipeline.sandbox.inside import plain
from ray_pipeline.sandbox.inside.counter import INSTRUCTIONS
from ray_pipeline.sandbox.outcome import Outcome
from ray_pipeline.sandbox.sandbox import Sandbox

MOST_REPEATS: Final = 10_000


class TimingSettings(Settings):
    """How programs are timed."""

    least_rounds: int = identity(5, "rounds at least", ge=5)
    most_rounds: int = identity(20, "rounds at most, steady or not", ge=5)
    target: float = identity(0.02, "share of itself to which a program's median is to be known", gt=0, lt=1)
    warm_up: int = identity(1, "rounds that are thrown away", ge=0)
    least_ms: float = identity(5.0, "milliseconds that a run of the canonical program computes at least; calls are repeated for it", gt=0)
    calls: int = identity(3, "calls to time by, the slowest, where a problem has none made for it", ge=1)
    wall: float = identity(60.0, "seconds by the clock that a run may take", gt=0)
    seed: int = identity(0, "of the order in a round", ge=0)
    instructions: bool = identity(False, "count instructions too, by the processor's own counters; refused on machines that show none")


@dataclass(frozen=True)
class Timed:
    """What is known of a program's speed."""

    reason: str  # "timed", "wrong" (on large inputs), "no_calls" (there is nothing to time it by), or how it ended
    detail: str
    seconds: float | None  # the median of a call's share of a run: all timed calls, once each
    spread: float | None  # interquartile range over median, of single runs
    steady: bool
    repeats: int
    runs: tuple[float, ...]  # in the order of rounds
    instructions: float | None = None  # as seconds, where they are counted


@dataclass(frozen=True)
class Failed:
    """Why a program has no time."""

    reason: str
    detail: str


@dataclass(frozen=True)
class Track:
    """What all programs of a problem are timed on."""

    problem: Problem
    calls: Sequence[Arguments]
    encoded: Sequence[bytes]
    expected: Sequence[Any] | None  # None: nobody knows
    repeats: int


def time_programs(problem: Problem, texts: Sequence[str], sandbox: Sandbox, settings: TimingSettings, processor: int | None) -> list[Timed]:
    """Each program's time, in their order."""
    track = _track(problem, texts, sandbox, settings, processor)
    if track is None:
        nothing = Failed("no_calls", "its tests make no call with plain data, so there is none to time by")
        return [_timed((), (), nothing, 1, settings)] * len(texts)
    runs: dict[int, list[float]] = {place: [] for place in range(len(texts))}
    counts: dict[int, list[float]] = {place: [] for place in range(len(texts))}
    failed: dict[int, Failed] = {}
    for number in range(settings.warm_up + settings.most_rounds):
        order = Draw(f"{settings.seed}/{problem.task_id}/{number}").some(range(len(texts)), len(texts))
        for place in order:
            if place in failed:
                continue
            found = _run(track, texts[place], sandbox, settings, processor)
            if isinstance(found, Failed):
                failed[place] = found
            elif number >= settings.warm_up:
                runs[place].append(sum(found.times) / track.repeats)
                counts[place] += [sum(found.counts) / track.repeats] if found.counts else []
        if _enough([runs[place] for place in runs if place not in failed], settings):
            break
    return [_timed(runs[place], counts[place], failed.get(place), track.repeats, settings) for place in range(len(texts))]


def _enough(runs: Sequence[Sequence[float]], settings: TimingSettings) -> bool:
    return all(len(one) >= settings.least_rounds and steady(one, settings.target) for one in runs)


def _timed(runs: Sequence[float], counts: Sequence[float], failed: Failed | None, repeats: int, settings: TimingSettings) -> Timed:
    if failed is not None:
        return Timed(failed.reason, failed.detail, None, None, False, repeats, tuple(runs))
    instructions = float(np.median(counts)) if counts else None
    return Timed("timed", "", float(np.median(runs)), spread(runs), steady(runs, settings.target), repeats, tuple(runs), instructions)


def _run(track: Track, text: str, sandbox: Sandbox, settings: TimingSettings, processor: int | None) -> Outcome | Failed:
    """All calls, each `repeats` times; or what is wrong."""
    found = _outcome(track.problem, text, track.encoded, track.repeats, sandbox, settings, processor)
    if found.ended != "finished":
        return Failed(found.ended, found.detail)
    if track.expected is not None:
        comparisons = comparisons_in_order(track.expected, track.problem.comparison)
        for place, (answer, expected) in enumerate(zip(found.answers, track.expected, strict=True)):
            if not answers_agree(answer, expected, track.calls[place], comparisons[place]):
                return Failed("wrong", f"timed call {place} has another answer than the canonical program gives")
    return found


def _track(problem: Problem, texts: Sequence[str], sandbox: Sandbox, settings: TimingSettings, processor: int | None) -> Track | None:
    """The calls, and how often each is made; None where there is no call."""
    known = [one for one in (problem.canonical,) if one is not None]
    stated = problem.stressed or problem.calls
    calls: Sequence[Arguments] = stated or _made_by_tests(problem, (*known, *texts), sandbox, settings)
    if not calls:
        return None
    for first in known or texts:
        found = _measured(problem, first, calls, sandbox, settings, processor)
        if found.ended == "finished":
            break
    else:
        if known:
            raise DataError(
                f"problem {problem.task_id}: its canonical program ended with {found.ended} at timed call {len(found.times)}: {found.detail} "
                "(raise time.timing.wall or sandbox.limits, or leave the problem out)"
            )
        return Track(problem, calls, _encoded(calls), None, 1)  # each program will say for itself how it ends
    if not problem.stressed and len(calls) > settings.calls:
        slowest = sorted(sorted(range(len(calls)), key=lambda place: found.times[place])[-settings.calls :])
        calls = [calls[place] for place in slowest]
        found = _measured(problem, first, calls, sandbox, settings, processor)
    repeats = min(MOST_REPEATS, max(1, math.ceil(settings.least_ms / 1e3 / sum(found.times)))) if found.ended == "finished" else 1
    expected = [as_expected(one, problem.comparison) for one in found.answers] if known and stated else None  # tests may allow several answers
    return Track(problem, calls, _encoded(calls), expected, repeats)


def _made_by_tests(problem: Problem, texts: Sequence[str], sandbox: Sandbox, settings: TimingSettings) -> list[Arguments]:
    """The calls that a problem's tests make of a program that passes them."""
    for text in texts if problem.tests is not None else ():
        heard: list[Any] = []
        found = sandbox.check(told(text, problem), problem.entry_point, problem.tests or "", wall=settings.wall, heard=heard)
        if found.ended == "finished" and heard:
            return [tuple(one) for one in heard]
    return []


def _encoded(calls: Sequence[Arguments]) -> list[bytes]:
    return [plain.encode(list(one)) for one in calls]


def _measured(problem: Problem, text: str, calls: Sequence[Arguments], sandbox: Sandbox, settings: TimingSettings, processor: int | None) -> Outcome:
    return _outcome(problem, text, _encoded(calls), 1, sandbox, settings, processor)


def _outcome(
    problem: Problem, text: str, encoded: Sequence[bytes], repeats: int, sandbox: Sandbox, settings: TimingSettings, processor: int | None
) -> Outcome:
    counter = INSTRUCTIONS if settings.instructions else None
    return sandbox.time(told(text, problem), problem.entry_point, encoded, repeats, processor, settings.wall, counter)


def own_processor() -> int:
    """The processor that this process's programs stay on: one of those it may use, by its own number. Two workers
    may come to the same one: then each waits for the other now and then, which its computing time does not count."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[os.getpid() % len(allowed)]
