from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.text.batches import pad, plan_batches

LENGTHS = st.lists(st.integers(0, 60), max_size=80)


@given(LENGTHS, st.integers(1, 200), st.integers(1, 12))
def test_a_plan_keeps_its_promises(lengths: list[int], budget: int, max_rows: int) -> None:
    given_lengths = np.array(lengths, dtype=np.int64)
    batches = plan_batches(given_lengths, budget, max_rows)
    rows = [int(row) for batch in batches for row in batch]
    assert sorted(rows) == list(range(len(lengths)))  # every row once
    assert [lengths[row] for row in rows] == sorted(lengths, reverse=True)  # longest first
    for batch in batches:
        longest = max(lengths[row] for row in batch)
        assert 1 <= len(batch) <= max_rows
        assert len(batch) == 1 or len(batch) * longest <= budget
    for batch in batches[:-1]:  # none is smaller than it had to be
        assert len(batch) == max_rows or (len(batch) + 1) * max(lengths[batch[0]], 1) > budget
    again = plan_batches(given_lengths.copy(), budget, max_rows)
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))


def test_equal_lengths_keep_the_order_of_the_rows() -> None:
    assert [batch.tolist() for batch in plan_batches(np.array([3, 5, 3, 5, 3]), 10, 9)] == [[1, 3], [0, 2, 4]]
    assert [batch.tolist() for batch in plan_batches(np.array([9, 1]), 4, 9)] == [[0], [1]]
    assert plan_batches(np.array([], dtype=np.int64), 4, 9) == []


@given(st.lists(st.lists(st.integers(1, 9), max_size=7), min_size=1, max_size=9), st.data())
def test_padding_equals_the_slow_way(texts: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=6))
    ids = np.array([token for text in texts for token in text], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    padded, mask = pad(ids, offsets, np.array(rows), 77)
    width = max(len(texts[row]) for row in rows)
    assert padded.dtype == mask.dtype == np.int64
    assert padded.tolist() == [texts[row] + [77] * (width - len(texts[row])) for row in rows]
    assert mask.tolist() == [[1] * len(texts[row]) + [0] * (width - len(texts[row])) for row in rows]
