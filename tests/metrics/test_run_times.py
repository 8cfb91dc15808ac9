"""Repeated runs: by hand, and on simulated machines how often a program is told apart from itself and from one 1.10 times slower."""

from __future__ import annotations

from math import inf, nan
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.run_times import expanded_tail, interval_of_ratio, machine_noise, median_spread, spread, steady

TIMES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30)
Floats = NDArray[np.float64]


def rounds(rng: np.random.Generator, count: int, common: float, own: float) -> tuple[Floats, Floats]:
    """The same program twice in each round: noise of the round (now and then it takes twice as long) and noise of each run."""
    shared = rng.lognormal(0, common, count) * np.where(rng.random(count) < 0.1, 2.0, 1.0)
    return shared * rng.lognormal(0, own, count), shared * rng.lognormal(0, own, count)


def test_spread_by_hand() -> None:
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 3)
    assert spread([2.0]) == 0.0
    assert spread([1.0, 1.0, 1.0, 1.0, 90.0]) == 0.0  # one disturbed run
    assert median_spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(1.2533 / 1.3490 * 2 / 3 / 5**0.5)


@settings(deadline=None)
@given(TIMES, st.floats(0.01, 100))
def test_spread_knows_no_unit(times: list[float], unit: float) -> None:
    assert spread([unit * one for one in times]) == pytest.approx(spread(times), rel=1e-9, abs=1e-9)


def test_median_spread_is_how_far_medians_are_off() -> None:
    rng = np.random.default_rng(0)
    runs = rng.normal(1.0, 0.1, (4000, 41))
    assert np.mean([median_spread(times.tolist()) for times in runs[:500]]) == pytest.approx(np.median(runs, axis=1).std(), rel=0.1)


def test_steady_ends_a_repetition_on_any_machine() -> None:
    rng = np.random.default_rng(1)
    taken: list[float] = []
    while not steady(taken, 0.05):
        taken.append(float(rng.lognormal(0, 0.3)))
    assert 5 < len(taken) < 150 and spread(taken) > 0.05
    assert not steady([1.0] * 4, 0.05) and steady([1.0] * 5, 0.05)
    with pytest.raises(DataError, match="target=0"):
        steady([1.0] * 5, 0)


def test_machine_noise_by_hand() -> None:
    found = machine_noise({"a": [1.0, 1.0, 99.0, 2.0, 2.0], "b": [1.0, 1.0]})
    assert (found.typical, found.worst, found.worst_program) == (pytest.approx(2**0.5), pytest.approx(2.0), "a")
    assert found.noisy and found.sentence().startswith("the machine is too noisy to compare speed on: two halves of the same runs differ 1.414x")
    quiet = machine_noise({"a": [1.0, 1.01], "b": [1.01, 1.0]}, limit=1.05)
    assert not quiet.noisy and "quiet enough" in quiet.sentence()


def test_a_machine_that_slows_down_is_noticed_and_a_steady_one_is_not() -> None:
    rng = np.random.default_rng(2)
    steady_runs = {str(n): rng.lognormal(0, 0.02, 20).tolist() for n in range(30)}
    slowing = {program: [one * (1 + at / 60) for at, one in enumerate(times)] for program, times in steady_runs.items()}
    assert not machine_noise(steady_runs).noisy and machine_noise(slowing).noisy


def test_the_same_runs_have_a_ratio_of_1_and_a_double_has_2() -> None:
    a = np.random.default_rng(3).lognormal(0, 0.3, 15)
    assert (lambda of: (of.ratio, of.low, of.high))(interval_of_ratio(a, a, seed=0)) == (1.0, 1.0, 1.0)
    double = interval_of_ratio(2 * a, a, seed=0)
    assert (double.ratio, double.low, double.high) == (pytest.approx(2.0),) * 3 and double.shown


def test_a_plain_loop_of_resamples() -> None:
    rng = np.random.default_rng(4)
    a, b = rounds(rng, 12, 0.2, 0.1)
    ratios = []
    for _ in range(8000):
        drawn = rng.integers(0, 12, 12)
        ratios.append(np.median(a[drawn]) / np.median(b[drawn]))
    tail = expanded_tail(12, 0.95)
    found = interval_of_ratio(a, b, seed=0, resamples=8000)
    assert found.ratio == np.median(a) / np.median(b)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(ratios, [tail, 1 - tail])), rel=0.02)


def test_student_s_quantiles() -> None:
    """t of 97.5% at 5, 9 and 29 degrees, from tables: 2.571, 2.262, 2.045."""
    for degrees, t in ((5, 2.571), (9, 2.262), (29, 2.045)):
        expected = NormalDist().cdf(-t * ((degrees + 1) / degrees) ** 0.5)
        assert expanded_tail(degrees + 1, 0.95) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("count", "common", "own"), [(6, 0.1, 0.02), (10, 0.3, 0.05), (10, 0.02, 0.1), (20, 0.1, 0.02), (21, 0.02, 0.1)])
def test_a_program_is_told_apart_from_itself_in_at_most_1_of_20(count: int, common: float, own: float) -> None:
    rng = np.random.default_rng([count, int(1000 * common)])
    told = sum(interval_of_ratio(*rounds(rng, count, common, own), seed=trial, resamples=600).shown for trial in range(1200))
    assert told <= 0.05 * 1200


def test_a_tenth_slower_is_ordered_right() -> None:
    rng = np.random.default_rng(7)
    found = []
    for trial in range(300):
        a, b = rounds(rng, 20, 0.1, 0.02)
        found.append(interval_of_ratio(1.1 * a, b, seed=trial, resamples=600))
    assert sum(of.low > 1 for of in found) >= 290 and not sum(of.high < 1 for of in found)
    assert np.median([of.ratio for of in found]) == pytest.approx(1.1, abs=0.01)


def test_the_seed_decides_and_few_rounds_exclude_nothing() -> None:
    a, b = rounds(np.random.default_rng(8), 12, 0.2, 0.1)
    assert interval_of_ratio(a, b, seed=1) == interval_of_ratio(a, b, seed=1) != interval_of_ratio(a, b, seed=2)
    few = interval_of_ratio([9.0] * 5, [1.0] * 5, seed=0)
    assert (few.ratio, few.low, few.high, few.shown) == (9.0, 0.0, inf, False)
    assert interval_of_ratio([9.0] * 6, [1.0] * 6, seed=0).shown
    assert interval_of_ratio([9.0] * 4, [1.0] * 4, seed=0, level=0.8).shown


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="3 runs of one and 2 of the other"):
        interval_of_ratio([1.0] * 3, [1.0] * 2, seed=0)
    for bad in (0.0, -1.0, nan, inf):
        with pytest.raises(DataError, match="times_b: run 1 took"):
            interval_of_ratio([1.0, 1.0], [1.0, bad], seed=0)
        with pytest.raises(DataError, match="program 'a': run 1"):
            machine_noise({"a": [1.0, bad]})
    with pytest.raises(DataError, match="program 'a': it was run once"):
        machine_noise({"a": [1.0]})
    with pytest.raises(DataError, match="there are no runs"):
        machine_noise({})
    with pytest.raises(DataError, match="limit=1"):
        machine_noise({"a": [1.0, 1.0]}, limit=1)
    with pytest.raises(DataError, match="expected a list of run times"):
        spread([])
