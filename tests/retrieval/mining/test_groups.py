"""Lists of positives, their scores, and training groups."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.mining import groups
from ray_pipeline.retrieval.mining.audit import Audit
from ray_pipeline.retrieval.mining.groups import to_groups
from ray_pipeline.retrieval.mining.mine import Mined
from ray_pipeline.retrieval.mining.positives import positive_scores, scores_in_ranking
from ray_pipeline.schemas import CORPUS, GROUPS, QUERIES, conform

LISTS = DocLists(np.array([0, 2, 2, 5]), np.array([4, 1, 0, 3, 4]), np.array([0.5, 0.25, 1.0, 0.75, 0.125], dtype=np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_positive_scores_are_exact_dots_rounded_once(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    queries, docs = generator.standard_normal((3, 384)).astype(dtype), generator.standard_normal((5, 384)).astype(dtype)
    expected = [
        float(np.float32(math.fsum(float(a) * float(b) for a, b in zip(queries[row], docs[doc], strict=True))))
        for row, doc in zip([0, 0, 2, 2, 2], LISTS.docs, strict=True)
    ]
    assert positive_scores(queries, docs, LISTS).tolist() == expected
    monkeypatch.setattr("ray_pipeline.retrieval.mining.positives._GATHER_BYTES", 16 * 384 * 2)
    assert positive_scores(queries, docs, LISTS).tolist() == expected


def test_positive_scores_survive_cancellation() -> None:
    queries, docs = np.array([[1e8, 1, -1e8]], dtype=np.float32), np.array([[1e8, 1, 1e8]], dtype=np.float32)
    assert positive_scores(queries, docs, DocLists(np.array([0, 1]), np.array([0]))).tolist() == [1.0]  # a float64 sum says 0


def test_positive_scores_are_the_search_scores() -> None:
    generator = np.random.default_rng(1)
    queries, docs = generator.standard_normal((40, 64)).astype(np.float32), generator.standard_normal((50, 64)).astype(np.float32)
    everything = DocLists(np.arange(0, 2001, 50), np.tile(np.arange(50), 40))
    assert np.array_equal(positive_scores(queries, docs, everything), scores_in_ranking(search(queries, docs, k=50), everything))


def test_scores_in_ranking() -> None:
    ranking = Ranking(np.array([2, 0]), np.array([[3, 1, 0], [2, 4, -1]]), np.array([[9, 8, 7], [6, 5, -np.inf]], dtype=np.float32))
    found = scores_in_ranking(ranking, LISTS)
    assert np.array_equal(found, np.array([5, np.nan, 7, 9, np.nan], dtype=np.float32), equal_nan=True)


@pytest.mark.parametrize("docs_at_once", [1, 4, 65_536])
def test_groups(docs_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_DOCS_AT_ONCE", docs_at_once)
    corpus = conform(pa.table({"doc_id": [f"d{row}" for row in range(5)], "text": [f"text {row}" for row in range(5)]}), CORPUS, "corpus")
    queries = conform(pa.table({"query_id": ["a", "b", "c"], "text": ["A?", "B?", "C?"]}), QUERIES, "queries")
    chunked = pa.concat_tables([corpus.slice(0, 2), corpus.slice(2)])
    mined = Mined(
        queries=np.array([2, 0, 0]),
        negatives=np.array([[1, PAD_DOC], [PAD_DOC, PAD_DOC], [2, 3]]),
        scores=np.array([[0.5, -np.inf], [-np.inf, -np.inf], [0.75, 0.25]], dtype=np.float32),
        audit=Audit(2),
    )
    table = to_groups(mined, queries, chunked, LISTS)
    table.validate(full=True)
    assert table.schema == GROUPS
    of_query_0 = [
        {"id": "d4", "text": "text 4", "score": 0.5, "teacher_score": None},
        {"id": "d1", "text": "text 1", "score": 0.25, "teacher_score": None},
    ]
    assert table.to_pylist() == [
        {
            "query_id": "c",
            "query": "C?",
            "positives": [
                {"id": f"d{doc}", "text": f"text {doc}", "score": score, "teacher_score": None} for doc, score in [(0, 1.0), (3, 0.75), (4, 0.125)]
            ],
            "negatives": [{"id": "d1", "text": "text 1", "score": 0.5, "teacher_score": None}],
            "prompt": None,
        },
        {
            "query_id": "a",
            "query": "A?",
            "positives": of_query_0,
            "negatives": [],
            "prompt": None,
        },
        {
            "query_id": "a",
            "query": "A?",
            "positives": of_query_0,
            "negatives": [
                {"id": "d2", "text": "text 2", "score": 0.75, "teacher_score": None},
                {"id": "d3", "text": "text 3", "score": 0.25, "teacher_score": None},
            ],
            "prompt": None,
        },
    ]
    unscored = to_groups(mined, queries, corpus, DocLists(LISTS.indptr, LISTS.docs))
    assert unscored.column("positives")[0].as_py()[0] == {"id": "d0", "text": "text 0", "score": None, "teacher_score": None}


def test_no_queries_make_an_empty_table() -> None:
    mined = Mined(np.arange(0), np.empty((0, 2), np.int64), np.empty((0, 2), np.float32), Audit(2))
    assert to_groups(mined, QUERIES.empty_table(), CORPUS.empty_table(), DocLists(np.array([0]), np.array([], np.int64))).num_rows == 0
