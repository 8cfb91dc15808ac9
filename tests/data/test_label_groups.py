"""Label groups: equal number, hence relevant."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.label_groups import closed_sets, label_groups, own_documents

NOBODY = -1


def grouped(positives: list[list[int]], documents: int, own: list[int] | None = None) -> tuple[list[int], list[int]]:
    lists = DocLists(np.cumsum([0, *map(len, positives)]), np.array([doc for one in positives for doc in one], dtype=np.int64))
    queries, docs = label_groups(lists, np.array(own or [NOBODY] * len(positives)), documents)
    return queries.tolist(), docs.tolist()


def test_queries_of_one_label_are_a_group() -> None:
    assert grouped([[3], [1], [3], [1], [0]], 5) == ([3, 1, 3, 1, 0], [0, 1, -1, 3, -1])


def test_a_paper_is_a_group_though_no_statement_is_its_own_positive() -> None:
    """Statements 0, 1, 2 of one paper and 3, 4 of another."""
    assert grouped([[1, 2], [0, 2], [0, 1], [4], [3]], 5, own=[0, 1, 2, 3, 4]) == ([0, 0, 0, 3, 3], [0, 0, 0, 3, 3])


def test_equal_lists_are_a_group_and_overlapping_ones_are_not() -> None:
    assert grouped([[0, 1], [0, 1], [2, 3], [3, 4]], 6) == ([0, 0, -1, -1], [0, 0, -1, -1, -1, -1])


def test_a_document_that_a_second_list_shares_breaks_both_groups() -> None:
    assert grouped([[0], [0, 1], [2]], 3) == ([-1, -1, 2], [-1, -1, 2])


def test_equal_lengths_do_not_make_lists_equal() -> None:
    """{0, 5} and {0, 3} have the length of documents 0 and 3, which are nobody else's; 5 is."""
    assert grouped([[0, 5], [0, 3], [5, 6]], 7) == ([-1, -1, -1], [-1] * 7)


@given(st.lists(st.sets(st.integers(0, 5), min_size=1), min_size=1, max_size=7), st.data())
def test_equal_group_means_relevant_and_groups_are_as_large_as_they_can_be(sets: list[set[int]], data: st.DataObject) -> None:
    own = [data.draw(st.sampled_from([NOBODY, *(doc for doc in range(6) if doc not in one)])) for one in sets]
    queries, docs = grouped([sorted(one) for one in sets], 6, own)
    closed = [one | ({mine} - {NOBODY}) for one, mine in zip(sets, own, strict=True)]
    for query, group in enumerate(queries):
        touching = [other for other in closed if other & closed[query]]
        complete = all(other == closed[query] for other in touching)  # the oracle: whoever shares a document shares all
        assert group == (min(closed[query]) if complete else NOBODY)
        if group != NOBODY:
            assert {doc for doc in range(6) if docs[doc] == group} == closed[query]
    assert all(group == NOBODY or group in queries for group in docs)


def test_closed_sets_add_the_query_s_own_document_once() -> None:
    lists = DocLists(np.array([0, 1, 3]), np.array([2, 0, 1]))
    closed = closed_sets(lists, np.array([0, 1]))
    assert (closed.indptr.tolist(), closed.docs.tolist()) == ([0, 2, 4], [0, 2, 0, 1])


def test_own_document_wants_the_id_and_the_text() -> None:
    doc_ids, hashes = pa.array(["1", "2", "3"]), np.array([10, 20, 30])
    own = own_documents(pa.array(["2", "1", "9"]), np.array([20, 99, 30]), doc_ids, hashes)
    assert own.tolist() == [1, -1, -1]
