from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.splits import k_fold, seen_labels, split_by_group
from ray_pipeline.errors import DataError

MANY = [f"g{i // 3}" for i in range(3_000)]


def test_hand_case() -> None:
    # Four groups of one row, half for evaluation: the walk alternates, so both sides get two.
    assert sorted(split_by_group(["a", "b", "c", "d"], 0.5, seed=0).tolist()) == [0, 0, 1, 1]
    # 1 of 7: Webster gives the smaller side its first row once the larger has three, that is to the fourth of seven.
    assert split_by_group(list("abcdefg"), 1 / 7, seed=0).sum() == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=2, max_size=80),
    st.integers(0, 5),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_groups_stay_whole_and_row_order_means_nothing(rows: list[tuple[int, int]], seed: int, stratified: bool, random: object) -> None:
    groups, strata = [f"g{group}" for group, _ in rows], [stratum for _, stratum in rows]
    folds = min(3, len(set(groups)))
    if folds < 2:
        with pytest.raises(DataError, match="only 1 groups"):
            k_fold(groups, 2, seed)
        return
    assigned = k_fold(groups, folds, seed, strata if stratified else None)
    by_group = {(group, fold) for group, fold in zip(groups, assigned.tolist(), strict=True)}
    assert len(by_group) == len(set(groups)) and set(assigned.tolist()) == set(range(folds))
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = k_fold([groups[i] for i in order], folds, seed, [strata[i] for i in order] if stratified else None)
    assert again.tolist() == assigned[order].tolist()
    if not stratified:
        largest = max(Counter(groups).values())
        assert np.ptp(np.bincount(assigned, minlength=folds)) <= largest


def test_share_is_met_and_seeds_differ() -> None:
    first, second = split_by_group(MANY, 1 / 7, 42), split_by_group(MANY, 1 / 7, 43)
    assert first.dtype == np.int8 and abs(first.sum() - 3_000 / 7) <= 3 and abs(second.sum() - 3_000 / 7) <= 3
    assert (first != second).sum() > 300
    assert (split_by_group(MANY, 1 / 7, 42) == first).all()


def test_walk_by_hand() -> None:
    # With f rows in training and e in evaluation, a row goes to evaluation when (2e + 1) / 0.25 < (2f + 1) / 0.75: T T E T T T E T T T E T.
    # A change of the hash or of the walk would silently change every data set's evaluation side.
    names = [f"g{i}" for i in range(12)]
    walk = sorted(names, key=lambda name: hashlib.sha256(f"42\n{name}".encode()).digest())
    expected = {walk[2], walk[6], walk[10]}
    assert {name for name, side in zip(names, split_by_group(names, 0.25, 42), strict=True) if side} == expected == {"g2", "g3", "g11"}


def test_strata_keep_their_proportions() -> None:
    rng = np.random.default_rng(0)
    strata = rng.choice(["common", "usual", "rare"], size=3_000, p=[0.7, 0.25, 0.05])
    groups = [f"g{i // 2}" for i in range(3_000)]

    def worst(sides: np.ndarray) -> float:
        return max(abs(sides[strata == name].mean() - 0.2) for name in ("common", "usual", "rare"))

    stratified = [worst(split_by_group(groups, 0.2, seed, strata)) for seed in range(5)]
    plain = [worst(split_by_group(groups, 0.2, seed)) for seed in range(5)]
    assert max(stratified) < 0.01 < np.mean(plain)
    folds = k_fold(groups, 5, 0, strata)
    for name in ("common", "usual", "rare"):
        assert np.ptp(np.bincount(folds[strata == name])) <= 4
    assert np.ptp(np.bincount(folds)) <= 4


def test_groups_may_be_arrow_numpy_or_numbers() -> None:
    expected = split_by_group(MANY, 0.2, 1).tolist()
    assert split_by_group(pa.chunked_array([MANY[:100], MANY[100:]]), 0.2, 1).tolist() == expected
    assert split_by_group(np.array(MANY), 0.2, 1).tolist() == expected
    numbers = [int(name[1:]) for name in MANY]
    assert split_by_group(numbers, 0.2, 1).tolist() == split_by_group([str(number) for number in numbers], 0.2, 1).tolist()


def test_impossible_splits_are_refused() -> None:
    for share in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(DataError, match="must lie between 0 and 1"):
            split_by_group(MANY, share, 0)
    with pytest.raises(DataError, match=r"eval_share 0.1 of 3 rows leaves the evaluation side empty"):
        split_by_group(["a", "b", "c"], 0.1, 0)
    with pytest.raises(DataError, match="training side empty"):
        split_by_group(["a", "b", "c"], 0.9, 0)
    with pytest.raises(DataError, match="training side empty"):
        split_by_group(pa.array([], pa.string()), 0.5, 0)
    with pytest.raises(DataError, match="1 folds: at least 2"):
        k_fold(MANY, 1, 0)
    with pytest.raises(DataError, match="4 folds, but only 3 groups"):
        k_fold(["a", "b", "c", "c", "c"], 4, 0)
    with pytest.raises(DataError, match="row 1 has no group; 1 rows have none"):
        split_by_group(["a", None, "c"], 0.5, 0)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="2 strata for 3 rows"):
        split_by_group(["a", "b", "c"], 0.5, 0, ["x", "y"])


def test_seen_labels() -> None:
    assert seen_labels(["a", "b"], ["b", "c", "b"]).tolist() == [True, False, True]
    assert seen_labels(np.array([1, 2]), np.array([3])).tolist() == [False]
