"""The example of docs/pairs.md pair by pair, every strategy against its definition tried on all pairs, and what draws depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, nan
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.config import parse
from ray_pipeline.data.pairs.make import Pair, PairReport, make_pairs
from ray_pipeline.data.pairs.settings import PairSettings, Strategy
from ray_pipeline.data.pairs.solution import Solution
from ray_pipeline.data.pairs.strategies import RULES
from ray_pipeline.errors import DataError, SettingsError

NAMES = get_args(Strategy)
SECONDS = {"A": 1.0, "B": 1.3, "C": 1.4, "D": 2.0, "E": 4.0, "F": None}
OUTCOMES = {"A": (1, 1, 1), "B": (1, 1, 1), "C": (1, 1, 0), "D": (1, 1, 1), "E": (1, 1, 0), "F": (1, 0, 0)}


def solution(text: str, sample: int, seconds: float | None, *, passed: bool = True, spread: float | None = 0.02, task: str = "t") -> Solution:
    return Solution(task, f"Solve {task}.", text, passed, "" if passed else "wrong answer", seconds, spread, sample)


EXAMPLE = [solution(name, at, seconds, passed=seconds is not None) for at, (name, seconds) in enumerate(SECONDS.items())]
PASSES = {"t": {at: [bool(one) for one in outcomes] for at, outcomes in enumerate(OUTCOMES.values())}}


def asked(strategy: str, **values: Any) -> PairSettings:
    return parse(PairSettings, {"strategy": strategy, "pairs_per_problem": 10, **values})


def names(pairs: Sequence[Pair]) -> list[str]:
    return [f"{pair.chosen}>{pair.rejected}" for pair in pairs]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("pvf", "A>F B>F C>F D>F E>F"),
        ("qvs", "A>C A>D A>E B>D B>E"),
        ("qsl", "A>E"),
        ("qts", "A>E B>E"),
        ("qfs", "A>C"),
        ("qra", "A>B A>C A>D A>E B>D B>E"),
        ("optimise", "A>F B>F C>F D>F E>F A>C A>D A>E B>D B>E"),
        ("codedpo", "A>F B>E D>C A>E B>D"),
    ],
)
def test_the_example_of_the_docs(strategy: str, expected: str) -> None:
    made = make_pairs(EXAMPLE, asked(strategy), PASSES if strategy == "codedpo" else None)
    assert names(made.pairs) == expected.split()
    assert {pair.kind for pair in made.pairs} == {strategy} and {pair.weight for pair in made.pairs} == {1.0}
    assert (made.report.problems, made.report.solutions, made.report.pairs) == (1, 6, len(made.pairs))
    assert not made.report.missing and not made.report.problems_without


def test_a_pair_says_why() -> None:
    by_time = make_pairs(EXAMPLE, asked("qsl")).pairs[0]
    assert (by_time.by, by_time.chosen_seconds, by_time.rejected_seconds, by_time.ratio) == ("time", 1.0, 4.0, 4.0)
    assert (by_time.task_id, by_time.prompt, by_time.chosen_sample, by_time.rejected_sample) == ("t", "Solve t.", 0, 4)
    by_tests = make_pairs(EXAMPLE, asked("pvf")).pairs[0]
    assert (by_tests.by, by_tests.ratio, by_tests.rejected_reason) == ("correctness", None, "wrong answer")
    scored = make_pairs(EXAMPLE, asked("codedpo"), PASSES).pairs[0]
    assert scored.chosen_score is not None and scored.rejected_score is not None and scored.chosen_score > scored.rejected_score


def test_ratio_and_noise_are_both_asked_for() -> None:
    pair = [solution("quick", 0, 1.0, spread=0.1), solution("slow", 1, 1.2, spread=0.1)]  # 0.2 apart, spreads 0.1 + 0.12
    assert make_pairs(pair, asked("qsl")).report.missing == {"all within noise": 1}
    assert len(make_pairs(pair, asked("qsl", noise_margin=0.9)).pairs) == 1
    assert not make_pairs(pair, asked("qsl", noise_margin=0.0, minimum_ratio=1.21)).pairs
    once = [replace(one, spread=None) for one in pair]
    made = make_pairs(once, asked("qsl"))
    assert len(made.pairs) == 1 and made.report.timed_once == 2
    alike = [replace(one, seconds=1.0, spread=0.0) for one in pair]
    assert not make_pairs(alike, asked("qsl", minimum_ratio=1.0)).pairs


def test_why_problems_give_no_pair() -> None:
    good, bad = solution("x", 0, 1.0), solution("y", 1, None, passed=False)
    problems = [good, replace(good, task_id="u", sample=1), replace(bad, task_id="u"), replace(bad, task_id="v")]
    problems = [replace(one, sample=at, prompt=one.task_id) for at, one in enumerate(problems)]
    assert make_pairs(problems, asked("pvf")).report == PairReport(3, 4, 0, 0, 0, 0, 1, 2, {"none failed": 1, "none passed": 1}, 0)
    found = make_pairs(problems, asked("optimise")).report
    assert found.missing == {"none failed": 1, "none passed": 1, "fewer than two timed": 3} and found.problems_without == 2
    untimed = make_pairs([good, replace(good, text="z", sample=1, seconds=None)], asked("qvs")).report
    assert (untimed.untimed, untimed.missing) == (1, {"fewer than two timed": 1})
    alike = make_pairs(EXAMPLE, asked("codedpo"), {"t": {sample: [True] for sample in range(6)}})
    assert alike.report.missing == {"all scored alike": 1} and names(alike.pairs) == ["A>E", "B>D"]


def test_a_pair_by_time_does_not_turn_one_by_correctness_round() -> None:
    """By its tests `slow` is better; that it is slower is not taught beside it."""
    two = [solution("slow", 0, 3.0), solution("quick", 1, 1.0)]
    made = make_pairs(two, asked("codedpo"), {"t": {0: [True, True], 1: [True, False]}})
    assert names(made.pairs) == ["slow>quick"] and made.report.withdrawn == 1


# Every strategy once more, as its definition reads, on all ordered pairs.
def allowed(strategy: str, of: list[Solution], given_settings: PairSettings) -> set[tuple[int, int]]:
    timed = [one for one in of if one.passed and one.seconds is not None]
    place = {one.sample: sum((o.seconds, o.sample) < (one.seconds, one.sample) for o in timed) for one in timed}  # type: ignore[operator]
    half, last = len(timed) // 2, len(timed) - 1
    top = max(1, int(len(timed) * given_settings.top_slow_share + 1e-9))

    def beyond(a: Solution, b: Solution) -> bool:
        if a.sample not in place or b.sample not in place:
            return False
        assert a.seconds is not None and b.seconds is not None
        noise = given_settings.noise_margin * (a.seconds * (a.spread or 0) + b.seconds * (b.spread or 0))
        return place[a.sample] < half and b.seconds >= given_settings.minimum_ratio * a.seconds and b.seconds - a.seconds > noise

    rule = {
        "pvf": lambda a, b: a.passed and not b.passed,
        "qvs": lambda a, b: beyond(a, b) and place[b.sample] >= half,
        "qsl": lambda a, b: beyond(a, b) and place[a.sample] == 0 and place[b.sample] == last,
        "qts": lambda a, b: beyond(a, b) and place[b.sample] > last - top,
        "qfs": lambda a, b: beyond(a, b) and place[b.sample] == half,
        "qra": lambda a, b: beyond(a, b) and place[b.sample] > place[a.sample],
    }[strategy]
    return {(a.sample, b.sample) for a in of for b in of if a.sample != b.sample and rule(a, b)}


@st.composite
def problems(draw: st.DrawFn, task: str = "t") -> list[Solution]:
    count = draw(st.integers(1, 9))
    kinds = st.tuples(st.booleans(), st.none() | st.sampled_from([1.0, 1.05, 1.2, 1.5, 2.0, 8.0]), st.none() | st.sampled_from([0.0, 0.05, 0.3]))
    drawn = draw(st.lists(kinds, min_size=count, max_size=count))
    return [solution(f"x = {at}", at, seconds, passed=passed, spread=spread, task=task) for at, (passed, seconds, spread) in enumerate(drawn)]


SETTINGS = st.fixed_dictionaries(
    {
        "minimum_ratio": st.sampled_from([1.0, 1.1, 1.5]),
        "noise_margin": st.sampled_from([0.0, 1.0, 2.0]),
        "top_slow_share": st.sampled_from([0.25, 0.5]),
        "seed": st.integers(0, 3),
    }
)


@settings(max_examples=200, deadline=None)
@given(problems(), st.sampled_from([name for name in NAMES if len(RULES[name]) == 1]), SETTINGS, st.integers(1, 5))
def test_every_strategy_is_its_definition(of: list[Solution], strategy: str, values: dict[str, Any], most: int) -> None:
    expected = allowed(strategy, of, asked(strategy, **values))
    every = make_pairs(of, asked(strategy, **values, pairs_per_problem=100))
    assert {(pair.chosen_sample, pair.rejected_sample) for pair in every.pairs} == expected and len(every.pairs) == len(expected)
    some = make_pairs(of, asked(strategy, **values, pairs_per_problem=most))
    assert len(some.pairs) == min(most, len(expected)) and set(some.pairs) <= set(every.pairs)
    assert bool(every.report.missing) == (not expected) == bool(every.report.problems_without)


@settings(max_examples=60, deadline=None)
@given(problems(), problems("u"), st.sampled_from([name for name in NAMES if name != "codedpo"]), st.randoms())
def test_a_problem_s_pairs_depend_on_nothing_else(one: list[Solution], other: list[Solution], strategy: str, random: Any) -> None:
    both = [*one, *other]
    random.shuffle(both)
    chosen = asked(strategy, pairs_per_problem=2)
    made = make_pairs(both, chosen)
    assert made.pairs == make_pairs(one, chosen).pairs + make_pairs(other, chosen).pairs


def test_draws_depend_on_the_seed_and_give_every_pair_its_turn() -> None:
    drawn = [names(make_pairs(EXAMPLE, asked("qra", pairs_per_problem=1, seed=seed)).pairs)[0] for seed in range(600)]
    counts = {name: drawn.count(name) for name in set(drawn)}
    assert set(counts) == {"A>B", "A>C", "A>D", "A>E", "B>D", "B>E"} and min(counts.values()) > 70 and max(counts.values()) < 135
    tasks = [replace(one, task_id=f"t{number}", prompt="p") for number in range(60) for one in EXAMPLE]
    assert len(set(names(make_pairs(tasks, asked("qra", pairs_per_problem=1)).pairs))) == 6  # problems draw apart from each other


@pytest.mark.parametrize(
    ("given_solutions", "message"),
    [
        ([solution("x", 0, 0.0)], r"problem 't', sample 0: seconds=0.0; a time is above 0"),
        ([solution("x", 0, nan)], "seconds=nan"),
        ([solution("x", 0, inf)], "seconds=inf"),
        ([solution("x", 0, 1.0, spread=-0.1)], "spread=-0.1"),
        ([solution("x", -1, 1.0)], "samples are numbered from 0"),
        ([solution("x", 3, 1.0), solution("y", 3, 1.0)], "problem 't': sample 3 is there twice"),
        ([solution("x", 0, 1.0), replace(solution("y", 1, 1.0), prompt="?")], "samples 0 and 1 answer different prompts"),
    ],
)
def test_solutions_that_cannot_be(given_solutions: list[Solution], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_pairs(given_solutions, asked("pvf"))


def test_outcomes_of_tests_are_given_for_codedpo_and_fit() -> None:
    for strategy, passes in (("pvf", PASSES), ("codedpo", None)):
        with pytest.raises(DataError, match=f"strategy={strategy}: `passes`"):
            make_pairs(EXAMPLE, asked(strategy), passes)
    with pytest.raises(DataError, match="`passes` says nothing of it"):
        make_pairs(EXAMPLE, asked("codedpo"), {})
    with pytest.raises(DataError, match=r"sample 5 is among the solutions or in `passes`, but not in both \(1 such\)"):
        make_pairs(EXAMPLE, asked("codedpo"), {"t": {at: PASSES["t"][at] for at in range(5)}})
    with pytest.raises(DataError, match="passes holds the outcomes of 1, 3 tests"):
        make_pairs(EXAMPLE, asked("codedpo"), {"t": PASSES["t"] | {5: [True]}})


@pytest.mark.parametrize("wrong", [{"strategy": "qqq"}, {"minimum_ratio": 0.9}, {"pairs_per_problem": 0}, {"top_slow_share": 0.6}, {"seed": -1}])
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        parse(PairSettings, wrong)
