"""The permutation behind the control."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.shuffled_labels import strangers
from ray_pipeline.errors import DataError


def singles(labels: list[int]) -> DocLists:
    return DocLists(np.arange(len(labels) + 1), np.array(labels, dtype=np.int64))


def nobody(count: int) -> np.ndarray:
    return np.full(count, -1)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40), st.integers(0, 1000))
def test_every_query_gets_a_foreign_label_whenever_that_is_possible(labels: list[int], seed: int) -> None:
    possible = 2 * max(np.bincount(labels)) <= len(labels)
    if not possible:
        with pytest.raises(DataError, match="labels cannot be shuffled: training row"):
            strangers(singles(labels), nobody(len(labels)), 5, seed)
        return
    source = strangers(singles(labels), nobody(len(labels)), 5, seed)
    assert sorted(source.tolist()) == list(range(len(labels)))
    assert all(labels[given] != labels[query] for query, given in enumerate(source.tolist()))


def test_lists_that_share_a_document_are_no_strangers() -> None:
    """A ring of ten: list i holds documents i and i + 1, so it touches its neighbours and itself."""
    lists = DocLists(np.arange(0, 21, 2), np.array([doc % 10 for at in range(10) for doc in (at, at + 1)]))
    for seed in range(20):
        source = strangers(lists, nobody(10), 10, seed)
        assert sorted(source.tolist()) == list(range(10))
        assert not set(((source - np.arange(10)) % 10).tolist()) & {0, 1, 9}


def test_a_query_never_becomes_its_own_positive() -> None:
    """Two papers of two statements: within a paper each statement's list is the other one."""
    for seed in range(20):
        source = strangers(singles([1, 0, 3, 2]), np.arange(4), 4, seed)
        assert set(source[:2].tolist()) == {2, 3}


def test_the_same_seed_gives_the_same_permutation_and_another_another() -> None:
    labels = [at % 7 for at in range(700)]
    found = [strangers(singles(labels), nobody(700), 7, seed) for seed in (0, 0, 1)]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_no_label_is_sent_to_one_label_only() -> None:
    """A map of labels to labels could be learned; each label's queries must scatter over the others."""
    labels = np.arange(4000) % 5
    given = labels[strangers(singles(labels.tolist()), nobody(4000), 5, 3)]
    table = np.zeros((5, 5), dtype=np.int64)
    np.add.at(table, (labels, given), 1)
    assert (np.diag(table) == 0).all()
    assert table[~np.eye(5, dtype=bool)].min() > 140  # 200 each on average
