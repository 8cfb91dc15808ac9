from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.dataset import build_dataset
from ray_pipeline.data.partition import shuffle_dataset
from ray_pipeline.data.splits import split_shuffled
from ray_pipeline.errors import DataError


def as_a_notebook(groups: list[int], share: float, seed: int) -> list[int]:
    names = np.unique(groups)
    evaluated = np.random.default_rng(seed).permutation(names)[: round(len(names) * share)]
    return np.isin(groups, evaluated).astype(int).tolist()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(0, 5), st.sampled_from([1 / 7, 0.25, 0.5]))
def test_it_is_the_notebooks_split_for_numbers_and_for_their_names(groups: list[int], seed: int, share: float) -> None:
    distinct = len(set(groups))
    if not 0 < round(distinct * share) < distinct:
        with pytest.raises(DataError, match=f"of {distinct} groups leaves one side empty"):
            split_shuffled(groups, share, seed)
        return
    assert split_shuffled(groups, share, seed).tolist() == as_a_notebook(groups, share, seed)
    assert split_shuffled([str(group) for group in groups], share, seed).tolist() == as_a_notebook(groups, share, seed)


@given(
    st.lists(st.sampled_from(["7", "07", "007", "²", "a", "b", "10", "٣", "3", "", "-1"]), min_size=4, max_size=30), st.randoms(use_true_random=False)
)
def test_the_order_of_rows_means_nothing_whatever_the_names(names: list[str], random: object) -> None:
    if len(set(names)) < 2:
        return
    place = list(range(len(names)))
    random.shuffle(place)  # type: ignore[attr-defined]
    sides = split_shuffled(names, 0.5, 1)
    assert split_shuffled([names[at] for at in place], 0.5, 1).tolist() == sides[place].tolist()
    assert len({(name, side) for name, side in zip(names, sides.tolist(), strict=True)}) == len(set(names))


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_shares_that_are_none(share: float) -> None:
    with pytest.raises(DataError, match="must lie between 0 and 1"):
        split_shuffled([1, 2, 3], share, 0)


def test_a_row_without_a_group_is_named() -> None:
    with pytest.raises(DataError, match="row 1 has no group"):
        split_shuffled(pa.array(["a", None, "b"]), 0.5, 0)


def test_only_judged_queries_are_divided_and_groups_stay_whole() -> None:
    queries = pa.table({"query_id": [f"q{n}" for n in range(40)], "text": ["?"] * 40, "group_id": [str(n // 4) for n in range(40)]})
    judged = [n for n in range(40) if n % 4 != 3]
    qrels = pa.table({"query_id": [f"q{n}" for n in judged], "doc_id": ["d"] * 30, "grade": pa.array([1] * 30, pa.int32())})
    data = build_dataset(pa.table({"doc_id": ["d"], "text": ["x"]}), queries, qrels, "made")
    split = shuffle_dataset(data, 0.3, 5).queries.column("split").to_pylist()
    expected = as_a_notebook([n // 4 for n in range(40)], 0.3, 5)
    assert split == [None if n % 4 == 3 else ("train", "eval")[expected[n]] for n in range(40)]
    assert split.count("eval") == 9
