"""BM25 against the formula written out, and its order."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.retrieval.lexical.bm25 import BM25Index
from ray_pipeline.retrieval.lexical.postings import Postings, tokens

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "x2"]), max_size=8).map(" ".join)


def formula(documents: list[str], query: str, k1: float = 1.2, b: float = 0.75) -> list[float]:
    split = [document.split() for document in documents]
    mean = sum(map(len, split)) / len(split)
    scores = []
    for words in split:
        total = 0.0
        for token in query.split():
            df = sum(token in other for other in split)
            tf = Counter(words)[token]
            if tf:
                idf = math.log(1 + (len(split) - df + 0.5) / (df + 0.5))
                total += idf * tf / (tf + k1 * (1 - b + b * len(words) / mean))
        scores.append(total)
    return scores


def test_hand_computed() -> None:
    ranking = BM25Index.build(["the cat", "the dog the dog", "a bird"]).search(["Dog!", "the"], k=3)
    # dog: N 3, df 1, tf 2, length 4, mean 8/3: log(1 + 2.5/1.5) * 2 / (2 + 1.2 * (0.25 + 0.75 * 1.5))
    assert ranking.docs.tolist() == [[1, -1], [1, 0]]
    assert ranking.scores[0, 0] == pytest.approx(0.9808293 * 2 / 3.65, rel=1e-6)
    # the: df 2: log(1 + 1.5/2.5) = 0.4700036; tf 2 against tf 1 with length 2: 1 / (1 + 1.2 * (0.25 + 0.75 * 0.75))
    assert ranking.scores[1].tolist() == pytest.approx([0.4700036 * 2 / 3.65, 0.4700036 / 1.975], rel=1e-6)
    assert ranking.scores[0, 1] == -np.inf


def test_order_of_equal_scores_is_row_descending() -> None:
    index = BM25Index.build(["same words", "other", "same words", "same words", "filler"])
    assert index.search(["same"], k=5).docs.tolist() == [[3, 2, 0]]
    assert index.search(["same"], k=2).docs.tolist() == [[3, 2]]


@settings(deadline=None, max_examples=80)
@given(st.lists(WORDS, min_size=1, max_size=12), st.lists(WORDS, min_size=1, max_size=4), st.integers(1, 14))
def test_equals_the_formula(documents: list[str], queries: list[str], k: int) -> None:
    ranking = BM25Index.build(documents).search(queries, k)
    for row, query in enumerate(queries):
        expected = formula(documents, query) if any(documents) else [0.0] * len(documents)
        docs = ranking.docs[row][ranking.docs[row] >= 0]
        scores = ranking.scores[row][: len(docs)]
        assert len(docs) == min(k, sum(score > 0 for score in expected))
        assert scores.tolist() == pytest.approx([expected[doc] for doc in docs], rel=1e-5)
        assert [*zip(-scores, -docs, strict=True)] == sorted(zip(-scores, -docs, strict=True))
        assert np.sort(scores)[::-1].tolist() == pytest.approx(sorted((s for s in expected if s > 0), reverse=True)[:k], rel=1e-5)


@pytest.mark.parametrize("query", ["", "   ", "?!", "unknown words"])
def test_a_query_without_known_tokens_has_an_empty_list(query: str) -> None:
    ranking = BM25Index.build(["one", "two"]).search([query, "one"], k=2)
    assert ranking.docs.tolist() == [[-1], [0]]
    assert ranking.scores[0, 0] == -np.inf


def test_documents_without_tokens() -> None:
    assert BM25Index.build(["", "!"]).search(["one"], k=2).docs.shape == (1, 0)
    assert BM25Index.build(["", "one"]).search(["one"], k=2).docs.tolist() == [[1]]


def test_an_empty_corpus_is_refused() -> None:
    with pytest.raises(DataError, match="no documents"):
        BM25Index.build([])


def test_tokens() -> None:
    assert tokens("Adds x²  and Y's ½-cup, snake_case") == ["adds", "x2", "and", "y", "s", "1", "2", "cup", "snake_case"]


def test_two_builds_rank_alike() -> None:
    generator = np.random.default_rng(0)
    documents = [" ".join(f"w{n}" for n in generator.integers(0, 30, 12)) for _ in range(200)]
    first = BM25Index.build(documents).search(documents[:20], k=50)
    second = BM25Index.build(iter(documents)).search(documents[:20], k=50)
    assert np.array_equal(first.docs, second.docs)
    assert np.array_equal(first.scores, second.scores)


@settings(deadline=None, max_examples=40)
@given(st.lists(WORDS, min_size=3, max_size=12), WORDS, st.integers(1, 2))
def test_parts_rank_as_one(documents: list[str], query: str, cut: int) -> None:
    whole = BM25Index.build(documents).search([query], 14)
    parts = BM25Index([Postings.build(documents[:cut]), Postings.build(documents[cut:])]).search([query], 14)
    assert whole.docs.tolist() == parts.docs.tolist()
    assert whole.scores.tobytes() == parts.scores.tobytes()


def test_a_filter_leaves_scores_as_they_are() -> None:
    index = BM25Index.build(["one two", "two", "two three", "four"])
    whole, kept = index.search(["two"], 4), index.search(["two"], 4, np.array([True, False, True, True]))
    assert kept.docs.tolist() == [[2, 0]]
    assert {int(doc): score for doc, score in zip(kept.docs[0], kept.scores[0], strict=True)}.items() <= dict(
        zip(whole.docs[0].tolist(), whole.scores[0], strict=True)
    ).items()


def test_equals_bm25s() -> None:
    bm25s = pytest.importorskip("bm25s")
    generator = np.random.default_rng(1)
    documents = [" ".join(f"w{n}" for n in generator.zipf(1.5, generator.integers(1, 40)) if n < 500) for _ in range(400)]
    peer = bm25s.BM25(k1=1.2, b=0.75, method="lucene", backend="numpy")
    peer.index([tokens(one) or ["nothing"] for one in documents], create_empty_token=False, show_progress=False)
    ours = BM25Index.build([one or "nothing" for one in documents])
    for query in ("w1 w7", "w2 w2 w30", "w100"):
        theirs = peer.get_scores(tokens(query))
        found = ours.search([query], 20)
        assert found.scores[0].tolist() == pytest.approx(sorted(theirs.tolist(), reverse=True)[: found.docs.shape[1]], rel=1e-5)
        assert theirs[found.docs[0]].tolist() == pytest.approx(found.scores[0].tolist(), rel=1e-5)


def test_a_share_of_the_documents_scores_as_the_whole_does() -> None:
    documents = ["one two", "two", "two three three", "four", "one"]
    whole = BM25Index.build(documents).search(["two three"], 5)
    shares = [BM25Index.build(documents[:2]), BM25Index.build(documents[2:])]
    known = shares[0].statistics(["two three"]) + shares[1].statistics(["two three"])
    found = [
        (first + doc, score)
        for first, share in zip((0, 2), shares, strict=True)
        for docs, scores in share.candidates(["two three"], 5, known=known)
        for doc, score in zip(docs.tolist(), scores.tolist(), strict=True)
    ]
    assert sorted(found, key=lambda one: (-one[1], -one[0])) == list(zip(whole.docs[0].tolist(), whole.scores[0].tolist(), strict=True))
