"""The plan of the micro batches of a batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.objectives.gradcache_chunks import plan_chunks


def test_by_hand() -> None:
    """Sorted: 9, 5, 4, 2, 2 with 10 tokens a chunk: 9 | 5, 4 (2 x 5) | 2, 2."""
    plan = plan_chunks(np.array([5, 2, 9, 4, 2]), token_budget=10, max_rows=8)
    assert [rows.tolist() for rows in plan.rows] == [[2], [0, 3], [1, 4]]
    assert plan.tokens == (9, 10, 4)
    assert plan.place.tolist() == [1, 3, 0, 2, 4]
    assert len(plan) == 3


@pytest.mark.parametrize(("keep", "kept"), [(0, 0), (3, 0), (4, 1), (13, 1), (14, 2), (22, 2), (23, 3), (1000, 3)])
def test_graphs_within_a_budget(keep: int, kept: int) -> None:
    """From the last: 4, 4 + 10, 4 + 10 + 9."""
    assert plan_chunks(np.array([5, 2, 9, 4, 2]), token_budget=10, max_rows=8).graphs_within(keep) == kept


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=50), budget=st.integers(1, 200), max_rows=st.integers(1, 9), keep=st.integers(0, 900)
)
def test_properties(lengths: list[int], budget: int, max_rows: int, keep: int) -> None:
    plan = plan_chunks(np.array(lengths, dtype=np.int64), budget, max_rows)
    end_to_end = [int(row) for rows in plan.rows for row in rows]
    assert [end_to_end[place] for place in plan.place] == list(range(len(lengths)))
    for rows, tokens in zip(plan.rows, plan.tokens, strict=True):
        assert tokens == len(rows) * max(lengths[row] for row in rows)
        assert len(rows) == 1 or (tokens <= budget and len(rows) <= max_rows)
    kept = total = 0
    for tokens in reversed(plan.tokens):
        total += tokens
        if total > keep:
            break
        kept += 1
    assert plan.graphs_within(keep) == kept


def test_no_texts() -> None:
    with pytest.raises(DataError, match="without texts"):
        plan_chunks(np.array([], dtype=np.int64), 10, 4)
