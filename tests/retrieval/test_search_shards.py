"""Units of search, and what is left of a ranking when some documents must not be found."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.errors import ModelError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.embed import shards_of, vectors_table
from ray_pipeline.retrieval.exclusion import Exclusion
from ray_pipeline.retrieval.search_shards import DenseSearch, excluded_for, units, without_excluded

NONE = -np.inf


def test_excluded_documents_make_room_for_the_next() -> None:
    docs = np.array([[4, 1, 2, 0], [1, 0, PAD_DOC, PAD_DOC], [2, 1, 0, 4]])
    scores = np.array([[4, 3, 2, 1], [2, 1, NONE, NONE], [9, 8, 7, 6]], dtype=np.float32)
    found = without_excluded(Ranking(np.arange(3), docs, scores), Exclusion.lists([[1, 3], [], [0, 2, 4]]), 2)
    assert found.docs.tolist() == [[4, 2], [1, 0], [1, PAD_DOC]]
    assert found.scores.tolist() == [[4, 2], [2, 1], [8, NONE]]
    assert found.queries.tolist() == [0, 1, 2]


def test_random_exclusions_equal_a_loop() -> None:
    random = np.random.default_rng(0)
    docs = np.stack([random.permutation(30)[:12] for _ in range(20)])
    scores = -np.sort(-random.random((20, 12)).astype(np.float32), axis=1)
    lists = [random.permutation(30)[: random.integers(0, 10)].tolist() for _ in range(50)]
    some = excluded_for(Exclusion.lists(lists), 7, 27)
    assert [some.docs[low:high].tolist() for low, high in zip(some.indptr, some.indptr[1:], strict=False)] == lists[7:27]
    found = without_excluded(Ranking(np.arange(20), docs, scores), some, 5)
    for row in range(20):
        kept = [int(doc) for doc in docs[row] if int(doc) not in lists[7 + row]][:5]
        assert found.docs[row].tolist() == kept + [PAD_DOC] * (5 - len(kept))


def test_units_cover_every_pair_once() -> None:
    cut = units(70, 1000, DenseSearch(query_block=32, part_rows=400))
    assert [unit["shard"] for unit in cut] == list(range(9))
    covered = np.zeros((70, 1000), dtype=int)
    for unit in cut:
        covered[unit["start"] : unit["stop"], unit["first_doc"] : unit["last_doc"]] += 1
        assert unit["block"] == unit["start"] // 32
    assert (covered == 1).all()


def test_shards_cover_every_row_once() -> None:
    assert [(one["shard"], one["start"], one["stop"]) for one in shards_of(5, 2)] == [(0, 0, 2), (1, 2, 4), (2, 4, 5)]
    assert shards_of(0, 2) == []


def test_vectors_that_are_not_finite_as_stored_are_refused_by_id() -> None:
    vectors = np.array([[1.0, 2.0], [70000.0, 0.0], [0.0, np.nan]], dtype=np.float32)
    with pytest.raises(ModelError, match="1 vectors are NaN or infinite in float32, the first for id 'c'"):
        vectors_table(["a", "b", "c"], vectors, "float32")
    with pytest.raises(ModelError, match="2 vectors are NaN or infinite in float16, the first for id 'b'.*embed.dtype=float32"):
        vectors_table(["a", "b", "c"], vectors, "float16")  # 70,000 is beyond float16
    assert vectors_table(["a"], vectors[:1], "float16").column("vector")[0].as_py() == [1.0, 2.0]
