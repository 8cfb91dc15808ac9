"""Pass@k by hand, against all choices counted one by one, against exact fractions, and for large numbers."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.pass_at_k import estimate, pass_at_k


def test_by_hand() -> None:
    assert estimate(10, 3, 1) == pytest.approx(0.3)
    assert estimate(5, 2, 2) == pytest.approx(0.7)  # of 10 pairs 3 hold none of the 2
    assert estimate(4, 0, 4) == 0.0
    assert estimate(4, 2, 3) == 1.0  # only 2 are wrong, so any 3 hold a correct one
    found = pass_at_k({"a": [True, False, False, False, True], "b": [False] * 5}, 2, seed=0)
    assert found.by_problem == {"a": pytest.approx(0.7), "b": 0.0}
    assert found.value == pytest.approx(0.35) and found.interval.queries == 2
    assert found.sentence() == "Pass@2 35.0%, 95% interval 0.0% to 70.0%, 2 problems"


def test_all_choices_counted() -> None:
    for samples in range(1, 8):
        for correct in range(samples + 1):
            for k in range(1, samples + 1):
                choices = list(combinations(range(samples), k))
                held = sum(any(one < correct for one in choice) for choice in choices)
                assert estimate(samples, correct, k) == pytest.approx(held / len(choices), abs=1e-12)


@settings(deadline=None)
@given(st.data())
def test_exact_fractions(data: st.DataObject) -> None:
    samples = data.draw(st.integers(1, 3000))
    correct, k = data.draw(st.integers(0, samples)), data.draw(st.integers(1, samples))
    exact = 1 - Fraction(comb(samples - correct, k), comb(samples, k))
    assert estimate(samples, correct, k) == pytest.approx(float(exact), rel=1e-9, abs=1e-15)


@settings(deadline=None)
@given(st.integers(1, 60), st.data())
def test_more_correct_and_more_draws_are_never_worse(samples: int, data: st.DataObject) -> None:
    correct, k = data.draw(st.integers(0, samples - 1)), data.draw(st.integers(1, samples))
    assert 0 <= estimate(samples, correct, k) <= estimate(samples, correct + 1, k) <= 1
    assert estimate(samples, correct, 1) == pytest.approx(correct / samples)
    if k < samples:
        assert estimate(samples, correct, k) <= estimate(samples, correct, k + 1) + 1e-12


def test_where_binomials_leave_the_floats_and_small_shares_keep_their_digits() -> None:
    assert estimate(100_000, 1, 1) == pytest.approx(1e-5, rel=1e-12)
    assert estimate(10_000, 5_000, 5_000) == 1.0


def test_it_is_unbiased_where_the_plain_formula_is_not() -> None:
    rng = np.random.default_rng(0)
    share, k, samples = 0.2, 5, 8
    correct = rng.binomial(samples, share, 20_000)
    truth = 1 - (1 - share) ** k
    assert np.mean([estimate(samples, int(c), k) for c in correct]) == pytest.approx(truth, abs=0.008)
    assert np.mean(1 - (1 - correct / samples) ** k) < truth - 0.03


def test_the_interval_is_over_problems() -> None:
    rng = np.random.default_rng(1)
    verdicts = {f"p{number}": (rng.random(20) < rng.random()).tolist() for number in range(60)}
    one, other = pass_at_k(verdicts, 1, seed=3), pass_at_k(verdicts, 1, seed=3)
    assert one == other and one.interval.low < one.value < one.interval.high
    rates = [np.mean(verdict) for verdict in verdicts.values()]
    means = [np.mean(rng.choice(rates, 60)) for _ in range(4000)]
    low, high = np.quantile(means, [0.025, 0.975])
    assert (one.interval.low, one.interval.high) == pytest.approx((low, high), abs=0.01)


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match=r"problem 'mbpp/3': Pass@10 needs at least 10 samples, and there are 2; draw more"):
        pass_at_k({"mbpp/1": [True] * 10, "mbpp/3": [True, False]}, 10, seed=0)
    with pytest.raises(DataError, match="k is a number of samples"):
        pass_at_k({"a": [True]}, 0, seed=0)
    with pytest.raises(DataError, match="there are no problems"):
        pass_at_k({}, 1, seed=0)
    with pytest.raises(DataError, match="3 of 2 samples cannot be correct"):
        estimate(2, 3, 1)
