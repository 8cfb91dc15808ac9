"""Speed of two models by hand, against plain loops, and what the plain average gets wrong."""

from __future__ import annotations

from math import inf, nan
from statistics import geometric_mean, median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.speed import average_time, compare_speed

SECONDS = st.floats(1e-6, 1e3)
TIMES = st.dictionaries(st.sampled_from("abcdef"), st.lists(SECONDS, max_size=4), max_size=6)


def test_by_hand() -> None:
    model = {"a": [1.0, 3.0, 2.0], "b": [4.0], "c": [9.0], "x": []}
    reference = {"a": [8.0], "b": [1.0, 3.0], "d": [1.0], "x": [5.0]}
    found = compare_speed(model, reference, seed=0)
    assert found.by_problem == {"a": pytest.approx(4.0), "b": pytest.approx(0.5)}
    assert found.ratio == pytest.approx(2**0.5)
    assert (found.problems, found.only_model, found.only_reference, found.faster, found.slower) == (2, 1, 2, 0.5, 0.5)
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(4.0))
    assert found.sentence() == "no difference in speed shown (1.41x, 95% interval 0.50x to 4.00x, 2 problems that both solved)"


def test_a_sentence_where_the_interval_leaves_out_1() -> None:
    found = compare_speed({str(n): [1.0] for n in range(9)}, {str(n): [2.0] for n in range(9)}, seed=0)
    assert found.shown and found.sentence() == "2.00x as fast, 95% interval 2.00x to 2.00x, 9 problems that both solved"


def test_one_problem_says_nothing_about_spread() -> None:
    found = compare_speed({"a": [1.0]}, {"a": [2.0]}, seed=0)
    assert (found.ratio, found.low, found.high, found.shown) == (pytest.approx(2.0), 0.0, inf, False)


@settings(deadline=None)
@given(TIMES, TIMES)
def test_a_plain_loop_and_the_other_way_round(model: dict[str, list[float]], reference: dict[str, list[float]]) -> None:
    both = [problem for problem in model if model[problem] and reference.get(problem)]
    if not both:
        with pytest.raises(DataError, match="no problem solved by both"):
            compare_speed(model, reference, seed=0)
        return
    ratios = [median(reference[problem]) / median(model[problem]) for problem in both]
    found, turned = compare_speed(model, reference, seed=0), compare_speed(reference, model, seed=0)
    assert found.ratio == pytest.approx(geometric_mean(ratios)) == pytest.approx(1 / turned.ratio)
    assert found.low <= found.ratio * (1 + 1e-9) and found.ratio <= found.high * (1 + 1e-9)
    assert found.problems == turned.problems == len(both)


def test_problems_weigh_alike_whatever_they_take() -> None:
    """Ten problems of a microsecond at half the time against one of an hour at one and a half times: faster on the whole."""
    model = {str(n): [1e-6] for n in range(10)} | {"slow": [5400.0]}
    reference = {str(n): [2e-6] for n in range(10)} | {"slow": [3600.0]}
    assert compare_speed(model, reference, seed=0).ratio == pytest.approx((2**10 / 1.5) ** (1 / 11))


def test_about_95_of_100_intervals_hold_the_true_ratio() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for trial in range(200):
        base = rng.lognormal(0, 2, 60)
        ratio = 1.2 * rng.lognormal(0, 0.3, 60)
        found = compare_speed({str(n): [base[n] / ratio[n]] for n in range(60)}, {str(n): [base[n]] for n in range(60)}, seed=trial)
        held += found.low <= 1.2 <= found.high
    assert 180 <= held <= 199


def test_the_average_misleads_where_the_comparison_does_not() -> None:
    """The model is twice as fast on all that the reference solves, and solves a slow problem more."""
    reference = {"a": [2.0], "b": [4.0]}
    model = {"a": [1.0], "b": [2.0], "hard": [60.0]}
    assert average_time(model).seconds == pytest.approx(21.0) and average_time(reference).seconds == pytest.approx(3.0)
    assert compare_speed(model, reference, seed=0).ratio == pytest.approx(2.0)
    said = str(average_time(model))
    assert said.startswith("21 s on average over the 3 problems this model solved") and "no measure of speed" in said


def test_an_average_is_of_problems() -> None:
    assert average_time({"a": [1.0, 3.0], "b": [5.0], "c": []}).seconds == pytest.approx(3.5)


@pytest.mark.parametrize("bad", [0.0, -1.0, nan, inf])
def test_times_that_are_none_are_refused(bad: float) -> None:
    with pytest.raises(DataError, match=r"model: problem 'b': run 1 took .* seconds; a time is above 0 and finite"):
        compare_speed({"a": [1.0], "b": [1.0, bad]}, {"a": [1.0]}, seed=0)
    with pytest.raises(DataError, match="problem 'b': run 0"):
        average_time({"b": [bad]})


def test_nothing_to_compare_is_said() -> None:
    with pytest.raises(DataError, match="no problem solved by both: the model solved 1, the reference 2"):
        compare_speed({"a": [1.0]}, {"b": [1.0], "c": [1.0]}, seed=0)
    with pytest.raises(DataError, match="no problem was solved"):
        average_time({"a": []})
