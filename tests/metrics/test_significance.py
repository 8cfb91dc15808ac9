from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.significance import (
    bootstrap_interval,
    bootstrap_intervals,
    permutation_p_value,
    standard_error,
    wilson_interval,
)


def test_the_interval_agrees_with_a_plain_loop_of_resamples() -> None:
    values = np.random.default_rng(0).beta(1, 3, 80)
    rng = np.random.default_rng(9)
    means = [values[rng.integers(0, 80, 80)].mean() for _ in range(20_000)]
    low, high = np.quantile(means, [0.025, 0.975])
    interval = bootstrap_interval(values, seed=1, resamples=20_000)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(low, abs=2e-3) and interval.high == pytest.approx(high, abs=2e-3)
    assert interval.queries == 80 and interval.level == 0.95


def test_about_95_of_100_intervals_hold_the_true_mean() -> None:
    rng = np.random.default_rng(4)
    held = 0
    for trial in range(200):
        interval = bootstrap_interval(rng.random(60), seed=trial, resamples=400)
        held += interval.low <= 0.5 <= interval.high
    assert 180 <= held <= 198


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.arange(30.0)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)


def test_several_measures_share_their_draws_and_blocks_do_not_matter() -> None:
    values = np.random.default_rng(2).random(3000)  # 2,000 resamples of 3,000 are several blocks
    both = bootstrap_intervals({"a": values, "b": 2 * values}, seed=5)
    assert both["b"].low == pytest.approx(2 * both["a"].low) and both["b"].high == pytest.approx(2 * both["a"].high)
    alone = bootstrap_interval(values, seed=5)
    assert both["a"].mean == alone.mean == values.mean() and (both["a"].low, both["a"].high) == pytest.approx((alone.low, alone.high))


def test_a_higher_level_is_wider_and_constant_values_have_no_width() -> None:
    values = np.random.default_rng(2).random(50)
    narrow, wide = bootstrap_interval(values, seed=0, level=0.8), bootstrap_interval(values, seed=0, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high
    constant = bootstrap_interval(np.full(5, 0.25), seed=0)
    assert (constant.low, constant.high) == (0.25, 0.25)


def test_copies_of_a_query_do_not_narrow_a_clustered_interval() -> None:
    values = np.random.default_rng(6).random(40)
    copied, clusters = np.repeat(values, 10), np.repeat(np.arange(40) * 7 + 3, 10)
    alone, clustered = bootstrap_interval(values, seed=1), bootstrap_interval(copied, seed=1, clusters=clusters)
    naive = bootstrap_interval(copied, seed=1)
    assert (clustered.low, clustered.high) == pytest.approx((alone.low, alone.high))
    assert naive.high - naive.low < 0.5 * (clustered.high - clustered.low)


def test_clusters_of_different_size_weigh_by_their_queries() -> None:
    # drawing cluster 0 twice gives mean 0, cluster 1 twice 1, one of each 3/4: never the mean of cluster means, 1/2
    interval = bootstrap_interval(np.array([0.0, 1.0, 1.0, 1.0]), seed=0, level=0.2, clusters=np.array([0, 1, 1, 1]))
    assert (interval.low, interval.high) == (0.75, 0.75)


def test_one_unit_says_nothing_about_spread() -> None:
    for interval in (
        bootstrap_interval(np.array([0.5]), seed=0),
        bootstrap_interval(np.array([0.5, 0.6]), seed=0, clusters=np.array([1, 1])),
    ):
        assert interval.low == -np.inf and interval.high == np.inf


def test_exact_p_values_by_hand() -> None:
    assert permutation_p_value(np.array([1.0, 1.0, 1.0]), seed=0) == 2 / 8
    assert permutation_p_value(np.array([1.0, 2.0, -0.5, 0.0]), seed=0) == 4 / 8  # |sum| of 2.5 or more: 2.5 and 3.5, both signs
    assert permutation_p_value(np.array([0.1, 0.2, -0.3]), seed=0) == 1.0
    assert permutation_p_value(np.zeros(5), seed=0) == 1.0


def test_drawn_p_values_agree_with_exact_ones() -> None:
    differences = np.random.default_rng(8).normal(0.4, 1.0, 13)
    exact = permutation_p_value(differences, seed=0, permutations=2**13)
    drawn = permutation_p_value(differences, seed=0, permutations=2**13 - 1)
    assert 0.01 < exact < 0.9 and drawn == pytest.approx(exact, abs=0.02) and drawn != exact


def test_no_difference_is_rarely_significant_and_a_real_one_is() -> None:
    rng = np.random.default_rng(12)
    p_values = [permutation_p_value(rng.normal(0, 1, 50), seed=trial, permutations=400) for trial in range(200)]
    assert 2 <= sum(p < 0.05 for p in p_values) <= 20
    assert permutation_p_value(rng.normal(1, 1, 200), seed=0, permutations=999) == 1 / 1000


def test_differences_of_a_cluster_flip_together() -> None:
    differences, clusters = np.ones(12), np.repeat([0, 1, 2], 4)
    assert permutation_p_value(differences, seed=0, clusters=clusters) == 2 / 8
    assert permutation_p_value(differences, seed=0) == 2 / 2**12


def test_wilson_by_hand() -> None:
    interval = wilson_interval(8, 10)
    assert (interval.mean, interval.low, interval.high) == (
        0.8,
        pytest.approx(0.4901625, abs=1e-6),
        pytest.approx(0.9433178, abs=1e-6),
    )
    nothing = wilson_interval(0, 10)
    assert nothing.low == pytest.approx(0.0, abs=1e-12) and nothing.high == pytest.approx(0.2775328, abs=1e-6)
    assert wilson_interval(10, 10).high == 1.0
    for bad in ((11, 10), (-1, 10), (0, 0)):
        with pytest.raises(DataError, match="is no share"):
            wilson_interval(*bad)


def test_standard_error_by_hand() -> None:
    assert standard_error(np.array([1.0, 2.0, 3.0])) == pytest.approx(1 / 3**0.5)
    with pytest.raises(DataError, match="one value has no standard error"):
        standard_error(np.array([1.0]))


def test_values_that_are_not_finite_and_clusters_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"mrr: value 1 is nan \(1 such\)"):
        bootstrap_intervals({"mrr": np.array([0.5, np.nan])}, seed=0)
    with pytest.raises(DataError, match="expected a list of values"):
        bootstrap_interval(np.zeros(0), seed=0)
    with pytest.raises(DataError, match="value 0 is inf"):
        permutation_p_value(np.array([np.inf]), seed=0)
    with pytest.raises(DataError, match=r"clusters: \(1,\) labels for 2 queries"):
        bootstrap_interval(np.array([0.5, 0.5]), seed=0, clusters=np.array([1]))
