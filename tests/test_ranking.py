from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline import ranking
from ray_pipeline.errors import DataError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.schemas import RANKING


def made(lists: list[list[int]], width: int | None = None) -> Ranking:
    width = max(map(len, lists), default=0) if width is None else width
    docs = np.full((len(lists), width), PAD_DOC, np.int64)
    scores = np.full((len(lists), width), -np.inf, np.float32)
    for row, found in enumerate(lists):
        docs[row, : len(found)] = found
        scores[row, : len(found)] = [-0.5 * doc for doc in found]
    return Ranking(np.arange(len(lists), dtype=np.int64) + 7, docs, scores)


def same(first: Ranking, second: Ranking) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("queries", "docs", "scores"))


@given(st.lists(st.lists(st.integers(0, 1 << 40), max_size=5), max_size=6), st.integers(1, 12))
def test_a_table_reads_back_whatever_its_chunks(lists: list[list[int]], entries: int) -> None:
    whole = made(lists)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_CHUNK_ENTRIES", entries)  # as 2^30 entries would be cut
        table = whole.to_table()
    assert table.schema == RANKING
    assert table.column("docs").to_pylist() == lists
    assert same(Ranking.from_table(table), whole)
    assert table.equals(whole.to_table())


def test_a_slice_of_a_table_is_read_from_its_own_start() -> None:
    whole = made([[5, 4, 3], [], [9], [2, 1]])
    part = Ranking.from_table(whole.to_table().slice(1, 2))
    assert same(part, Ranking(whole.queries[1:3], whole.docs[1:3, :1], whole.scores[1:3, :1]))


def test_padding_is_dropped() -> None:
    assert made([[1], []], width=4).to_table().column("docs").to_pylist() == [[1], []]


def test_nothing_is_a_ranking_too() -> None:
    empty = made([], width=0)
    assert empty.to_table().num_rows == 0
    assert same(Ranking.from_table(empty.to_table()), empty)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shapes disagree"):
        Ranking(np.zeros(2, np.int64), np.zeros((2, 3), np.int64), np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match="shapes disagree"):
        Ranking(np.zeros(1, np.int64), np.zeros((2, 3), np.int64), np.zeros((2, 3), np.float32))


def test_scores_that_belong_to_other_documents_are_refused() -> None:
    # five documents and five scores in all, but not query by query
    columns = [[3, 4], [[1, 2], [3, 4, 5]], [[0.1, 0.2, 0.3], [0.4, 0.5]], pa.nulls(2, pa.list_(pa.float32()))]
    with pytest.raises(DataError, match="query row 3: documents and scores differ in number"):
        Ranking.from_table(pa.table(columns, schema=RANKING))
