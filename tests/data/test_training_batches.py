"""Batches of an epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.training_batches import BatchRules, EpochPlan, plan_epoch
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.errors import DataError

MakeSet = Callable[..., TrainingSet]
PLAIN = BatchRules(no_duplicates=False)
APART = BatchRules(no_duplicates=True)


def texts_of(data: TrainingSet, row: int) -> set[str]:
    """The row's query and all its positives, as written."""
    docs = data.positives.take(np.array([row])).docs
    return {data.queries[row].as_py(), *(data.documents[int(doc)].as_py() for doc in docs)}


def batches_of(plan: EpochPlan) -> list[list[int]]:
    return [plan.batch(at).tolist() for at in range(len(plan))]


def share_nothing(data: TrainingSet, batch: list[int]) -> bool:
    counts = Counter(text for row in batch for text in texts_of(data, row))
    groups = [group for group in data.groups[batch].tolist() if group >= 0]
    docs = [doc for row in batch for doc in set(data.positives.take(np.array([row])).docs.tolist())]
    return max(counts.values()) == 1 and len(set(groups)) == len(groups) and len(set(docs)) == len(docs)


def test_every_row_once(made_set: MakeSet) -> None:
    data = made_set([[at] for at in range(10)])
    plan = plan_epoch(data, 4, 0, 0, PLAIN)
    assert plan.sizes.tolist() == [4, 4, 2]
    assert sorted(plan.rows.tolist()) == list(range(10))
    assert plan.left_out.tolist() == []
    assert [row for batch in batches_of(plan) for row in batch] == plan.rows.tolist()
    for outside in (3, -1):
        with pytest.raises(IndexError, match=f"batch {outside} of 3"):
            plan.batch(outside)


def test_drop_last_counts_what_it_leaves_out(made_set: MakeSet) -> None:
    data = made_set([[at] for at in range(10)])
    for rules in (BatchRules(no_duplicates=False, drop_last=True), BatchRules(no_duplicates=True, drop_last=True)):
        plan = plan_epoch(data, 4, 0, 0, rules)
        assert plan.sizes.tolist() == [4, 4]
        assert sorted([*plan.rows.tolist(), *plan.left_out.tolist()]) == list(range(10))
        assert len(plan.left_out) == 2


def test_the_plan_is_a_function_of_seed_and_epoch(made_set: MakeSet) -> None:
    data = made_set([[at % 20] for at in range(100)])
    for rules in (PLAIN, APART):
        plans = [plan_epoch(data, 8, seed, epoch, rules) for seed, epoch in [(0, 0), (0, 0), (1, 0), (0, 1)]]
        assert batches_of(plans[0]) == batches_of(plans[1])
        assert batches_of(plans[0]) != batches_of(plans[2])
        assert batches_of(plans[0]) != batches_of(plans[3])
        assert batches_of(plans[2]) != batches_of(plans[3])


def test_rows_without_a_shared_text_are_only_shuffled(made_set: MakeSet) -> None:
    data = made_set([[at] for at in range(50)])
    assert batches_of(plan_epoch(data, 8, 3, 2, APART)) == batches_of(plan_epoch(data, 8, 3, 2, PLAIN))


def test_shuffling_is_uniform(made_set: MakeSet) -> None:
    data = made_set([[at] for at in range(8)])
    first = np.bincount([plan_epoch(data, 8, 0, epoch, PLAIN).rows[0] for epoch in range(4000)], minlength=8)
    assert float(((first - 500) ** 2 / 500).sum()) < 24.3  # 7 degrees of freedom, p = 0.001


def test_two_rows_of_a_label_never_meet(made_set: MakeSet) -> None:
    """Two labels with two rows each and two batches of two: one of each in either."""
    data = made_set([[0], [0], [1], [1]])
    for seed in range(30):
        plan = plan_epoch(data, 2, seed, 0, APART)
        assert sorted(sorted(data.groups[batch].tolist()) for batch in batches_of(plan)) == [[0, 1], [0, 1]]


def test_rows_that_fit_nowhere_are_left_out_and_counted(made_set: MakeSet) -> None:
    """Six rows of one label and two others in batches of four: two batches, so two rows of the label."""
    data = made_set([[0]] * 6 + [[1], [2]])
    left = set()
    for epoch in range(20):
        plan = plan_epoch(data, 4, 0, epoch, APART)
        assert sorted(plan.sizes.tolist()) in ([1, 3], [2, 2])
        assert len(plan.left_out) == 4
        left |= set(plan.left_out.tolist())
    assert left == set(range(6))  # each has its epochs


def test_a_gap_before_the_last_batch_is_filled(made_set: MakeSet) -> None:
    """Rows 0 and 1 share a document, and 1 and 2: so 0 and 2 go together. In the order 0, 1, 2 the first pass puts 1 behind 0
    and then has no batch left behind 1 for 2."""
    data = made_set([[0, 3], [0, 2], [2]])
    for seed in range(50):
        plan = plan_epoch(data, 2, seed, 0, APART)
        assert len(plan.left_out) == 0
        assert sorted(sorted(batch) for batch in batches_of(plan)) == [[0, 2], [1]]


def test_two_rows_that_share_a_text_do_not_meet_in_a_gap(made_set: MakeSet) -> None:
    """In the order 0, 1, 2, 3 both 2 and 3 fit the gap beside 0, though not together."""
    data = made_set([[2], [1, 2, 4], [1, 4], [1, 3]])
    for seed in range(200):
        assert all(share_nothing(data, batch) for batch in batches_of(plan_epoch(data, 3, seed, 0, APART)))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("positive", {"positives": [[0, 1], [2, 1]]}),
        ("query text", {"positives": [[0], [1]], "query_texts": ["Same", "  same "]}),
        ("document text", {"positives": [[0], [1]], "doc_texts": ["x Y", "X  y"]}),
        ("query and document", {"positives": [[0], [1]], "query_texts": ["Some text", "a"], "doc_texts": ["b", "some text"]}),
        (
            "paper",
            {"positives": [[1], [0]], "query_ids": ["a", "b"], "query_texts": ["A", "B"], "doc_ids": ["a", "b"], "doc_texts": ["A", "B"]},
        ),
    ],
)
def test_what_keeps_two_rows_apart(made_set: MakeSet, kind: str, given: dict[str, list[str]]) -> None:
    data = made_set(**given)
    plan = plan_epoch(data, 2, 0, 0, APART)
    assert (len(plan), len(plan.left_out)) == (1, 1), kind
    assert plan_epoch(data, 2, 0, 0, PLAIN).sizes.tolist() == [2]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 9), min_size=1, max_size=3), st.integers(0, 2)), min_size=1, max_size=30),
    st.integers(1, 8),
    st.integers(0, 100),
    st.booleans(),
    st.booleans(),
)
def test_a_batch_never_holds_a_duplicate_and_no_row_is_left_out_that_would_fit(
    made_set: MakeSet, rows: list[tuple[int, set[int], int]], size: int, seed: int, same_task: bool, drop_last: bool
) -> None:
    queries = [f"text {query}" if query < 2 else f"query {at}" for at, (query, _, _) in enumerate(rows)]  # some queries repeat documents
    data = made_set(
        [sorted(docs) for _, docs, _ in rows],
        documents=10,
        query_texts=queries,
        doc_texts=[f"text {at // 2}" if at < 4 else f"document {at}" for at in range(10)],  # some documents repeat each other
        tasks=[task for _, _, task in rows],
    )
    rules = BatchRules(same_task=same_task, drop_last=drop_last)
    try:
        plan = plan_epoch(data, size, seed, 0, rules)
    except DataError:
        assert drop_last
        return
    found = batches_of(plan)
    assert all(share_nothing(data, batch) and 0 < len(batch) <= size for batch in found)
    assert sorted([row for batch in found for row in batch] + plan.left_out.tolist()) == list(range(len(rows)))
    assert not same_task or all(len(set(data.tasks[batch].tolist())) == 1 for batch in found)
    assert not drop_last or all(len(batch) == size for batch in found)
    for row in [] if drop_last else plan.left_out.tolist():
        homes = [batch for batch in found if len(batch) < size and (not same_task or data.tasks[batch[0]] == data.tasks[row])]
        assert not any(share_nothing(data, [*batch, row]) for batch in homes)


def test_batches_of_one_task_come_in_mixed_order(made_set: MakeSet) -> None:
    data = made_set([[at] for at in range(200)], tasks=[at % 2 for at in range(200)])
    plan = plan_epoch(data, 10, 0, 0, BatchRules(same_task=True))
    tasks = [set(data.tasks[batch].tolist()) for batch in batches_of(plan)]
    assert all(len(one) == 1 for one in tasks)
    order = [one.pop() for one in tasks]
    assert sum(a != b for a, b in pairwise(order)) > 3  # not one task after the other


@pytest.mark.timeout(20)
def test_one_label_for_all_rows_takes_no_longer(made_set: MakeSet) -> None:
    """Every row waits and every batch is a gap: quadratic if each tried each."""
    plan = plan_epoch(made_set([[0]] * 20_000), 2, 0, 0, APART)
    assert plan.sizes.tolist() == [1] * 10_000
    assert len(plan.left_out) == 10_000


def test_no_full_batch_is_an_error_that_says_why(made_set: MakeSet) -> None:
    data = made_set([[at] for at in range(6)], tasks=[0, 0, 0, 0, 1, 1])
    with pytest.raises(DataError, match=r"6 rows give no batch of 5: drop_last .*; the largest of 2 tasks has 4 rows; no_duplicates"):
        plan_epoch(data, 5, 0, 0, BatchRules(drop_last=True, same_task=True))
    assert len(plan_epoch(data, 5, 0, 0, BatchRules(drop_last=True))) == 1


def test_negatives_from_rows_without_any_are_refused(made_set: MakeSet) -> None:
    rules = BatchRules(negatives_per_query=2)
    with pytest.raises(DataError, match="negatives_per_query=2, but no training row has a negative"):
        plan_epoch(made_set([[0]]), 1, 0, 0, rules)
    assert len(plan_epoch(made_set([[0]], [[1]]), 1, 0, 0, rules)) == 1


def test_a_batch_of_nothing_is_refused(made_set: MakeSet) -> None:
    with pytest.raises(ValueError, match="batch_size is 0"):
        plan_epoch(made_set([[0]]), 0, 0, 0, PLAIN)
