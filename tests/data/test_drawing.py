"""Positives and negatives of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.drawing import draw
from ray_pipeline.data.keyed_numbers import GOLDEN, mix, row_numbers
from ray_pipeline.data.training_set import TrainingSet

MakeSet = Callable[..., TrainingSet]
NAN = float("nan")


def test_the_arrays_of_a_batch_by_hand(made_set: MakeSet) -> None:
    """One positive each and as many negatives as there are, so that only the order is drawn."""
    data = made_set(
        [[0], [1], [2]],
        [[3], [4, 5], []],
        positive_scores=[[0.5], [0.625], [NAN]],
        negative_scores=[[0.25], [0.75, 0.875], []],
    )
    drawn = draw(data, np.array([2, 1, 0]), seed=0, epoch=0, negatives=2)
    assert drawn.queries.tolist() == [2, 1, 0]
    assert drawn.documents[:3].tolist() == [2, 1, 0]
    assert sorted(drawn.documents[3:5].tolist()) == [4, 5]
    assert drawn.documents[5:].tolist() == [3]
    assert drawn.owner.tolist() == [0, 1, 2, 1, 1, 2]
    assert drawn.own.tolist() == [[0, -1, -1], [1, 3, 4], [2, 5, -1]]
    scores = {4: 0.75, 5: 0.875}
    second = [0.625, *(scores[doc] for doc in drawn.documents[3:5].tolist())]
    assert drawn.teacher is not None
    assert np.array_equal(drawn.teacher, np.array([[NAN, NAN, NAN], second, [0.5, 0.25, NAN]], dtype=np.float32), equal_nan=True)
    assert (drawn.known.indptr.tolist(), drawn.known.docs.tolist()) == ([0, 1, 2, 3], [2, 1, 0])


def test_without_teacher_scores_there_are_none(made_set: MakeSet) -> None:
    assert draw(made_set([[0]], [[1]]), np.array([0]), 0, 0, 1).teacher is None
    teacher = draw(made_set([[0]], [[1]], positive_scores=[[0.5]]), np.array([0]), 0, 0, 1).teacher
    assert teacher is not None
    assert np.array_equal(teacher, np.array([[0.5, NAN]], dtype=np.float32), equal_nan=True)


def test_no_negatives_asked_none_drawn(made_set: MakeSet) -> None:
    drawn = draw(made_set([[0], [1]], [[1], [0]]), np.array([1, 0]), 0, 0, 0)
    assert (drawn.documents.tolist(), drawn.own.tolist(), drawn.owner.tolist()) == ([1, 0], [[0], [1]], [0, 1])


ragged = st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1), st.sets(st.integers(6, 12))), min_size=1, max_size=8)


@given(ragged, st.integers(0, 4), st.integers(0, 9), st.integers(0, 9), st.data())
def test_equals_a_loop_over_queries(
    made_set: MakeSet, rows: list[tuple[set[int], set[int]]], count: int, seed: int, epoch: int, choose: st.DataObject
) -> None:
    positives, negatives = [sorted(one) for one, _ in rows], [sorted(other) for _, other in rows]
    data = made_set(positives, negatives, documents=13, negative_scores=[[doc / 16 for doc in one] for one in negatives])
    batch = choose.draw(st.permutations(range(len(rows))))[: choose.draw(st.integers(1, len(rows)))]
    drawn = draw(data, np.array(batch), seed, epoch, count)
    at = len(batch)
    for place, row in enumerate(batch):
        number = int(row_numbers(np.array([row]), seed, epoch, 2)[0])
        assert drawn.documents[place] == positives[row][(number >> 32) * len(positives[row]) >> 32]
        base = row_numbers(np.array([row]), seed, epoch, 3)
        numbers = {doc: int(mix(base + np.array([doc], dtype=np.uint64) * GOLDEN)[0]) for doc in negatives[row]}
        expected = sorted(negatives[row], key=numbers.__getitem__)[:count]
        assert drawn.documents[at : at + len(expected)].tolist() == expected
        assert drawn.own[place].tolist() == [place, *range(at, at + len(expected)), *[-1] * (count - len(expected))]
        assert drawn.owner[at : at + len(expected)].tolist() == [place] * len(expected)
        assert drawn.known.docs[drawn.known.indptr[place] : drawn.known.indptr[place + 1]].tolist() == positives[row]
        if drawn.teacher is not None:
            assert drawn.teacher[place, 1 : 1 + len(expected)].tolist() == [doc / 16 for doc in expected]
        at += len(expected)
    assert at == len(drawn.documents)


def test_a_query_s_documents_do_not_depend_on_its_batch(made_set: MakeSet) -> None:
    data = made_set([[0, 1, 2]] * 40, [[3, 4, 5, 6, 7, 8]] * 40)

    def documents(rows: list[int], epoch: int) -> dict[int, list[int]]:
        drawn = draw(data, np.array(rows), 5, epoch, 3)
        return {row: drawn.documents[drawn.own[place]].tolist() for place, row in enumerate(rows)}

    everyone = documents(list(range(40)), 1)
    halves = documents(list(range(39, 19, -1)), 1) | documents(list(range(20)), 1)  # two workers, one of them backwards
    assert everyone == halves
    assert everyone != documents(list(range(40)), 2)


def test_positives_are_drawn_uniformly(made_set: MakeSet) -> None:
    data = made_set([[0, 1, 2, 3]] * 4000)
    counts = np.bincount(np.concatenate([draw(data, np.arange(4000), 0, epoch, 0).documents for epoch in range(3)]), minlength=4)
    assert float(((counts - 3000) ** 2 / 3000).sum()) < 16.3  # 3 degrees of freedom, p = 0.001


def test_every_set_of_negatives_in_every_order_is_equally_likely(made_set: MakeSet) -> None:
    data = made_set([[0]] * 6000, [[1, 2, 3, 4]] * 6000)
    drawn = draw(data, np.arange(6000), 1, 0, 2)
    pairs = Counter(tuple(pair) for pair in drawn.documents[drawn.own[:, 1:]].tolist())
    assert set(pairs) == {pair for a, b in combinations(range(1, 5), 2) for pair in ((a, b), (b, a))}
    assert sum((count - 500) ** 2 / 500 for count in pairs.values()) < 31.3  # 11 degrees of freedom, p = 0.001


def test_the_positive_says_nothing_of_the_negatives(made_set: MakeSet) -> None:
    data = made_set([[0, 1]] * 8000, [[2, 3]] * 8000)
    drawn = draw(data, np.arange(8000), 2, 0, 1)
    table = np.bincount(2 * drawn.documents[:8000] + drawn.documents[8000:] - 2, minlength=4)
    assert float(((table - 2000) ** 2 / 2000).sum()) < 16.3
