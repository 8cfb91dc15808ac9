from __future__ import annotations

import itertools
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.text.batches import BATCH_COST, pad, plan_batches

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
    again = plan_batches(given_lengths.copy(), budget, max_rows)
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))


@given(st.lists(st.integers(1, 400), max_size=9), st.integers(1, 900), st.integers(1, 5))
def test_no_other_cuts_cost_less(lengths: list[int], budget: int, max_rows: int) -> None:
    falling = sorted(lengths, reverse=True)
    allowed = []
    for chosen in itertools.product([False, True], repeat=max(len(falling) - 1, 0)):
        ends = [0, *(place + 1 for place, cut in enumerate(chosen) if cut), len(falling)] if falling else []
        stretches = [falling[start:stop] for start, stop in itertools.pairwise(ends)]
        if all(len(one) == 1 or (len(one) <= max_rows and len(one) * one[0] <= budget) for one in stretches):
            allowed.append(sum(len(one) * one[0] + BATCH_COST for one in stretches))
    batches = plan_batches(np.array(lengths, dtype=np.int64), budget, max_rows)
    assert sum(len(batch) * lengths[batch[0]] + BATCH_COST for batch in batches) == min(allowed, default=0)


def test_short_texts_are_not_padded_to_a_long_one_to_fill_its_batch() -> None:
    lengths = np.array([200, 10, 190, *[10] * 30])
    assert [len(batch) for batch in plan_batches(lengths, 4096, 256)] == [2, 31]  # one batch would be 33 x 200 tokens, not 710
    assert [len(batch) for batch in plan_batches(np.array([20, 10, 19]), 4096, 256)] == [3]  # a batch more costs more than this padding


def test_many_texts_are_planned_at_once() -> None:
    lengths = np.random.default_rng(0).integers(1, 512, 40_000)
    started = time.perf_counter()
    batches = plan_batches(lengths, 16_384, 1024)
    assert time.perf_counter() - started < 20  # 0.6 s here; trying every cut would take minutes
    assert sum(len(batch) * lengths[batch[0]] for batch in batches) < 1.02 * lengths.sum()


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
