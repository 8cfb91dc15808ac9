"""A ranking in a reranker's order, and several scorings made into one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.fusion import Fusion, fused, fused_lists
from ray_pipeline.retrieval.rerank import reordered

INF = np.inf


def ranking(docs: list[list[int]], scores: list[list[float]]) -> Ranking:
    return Ranking(np.arange(len(docs)), np.array(docs), np.array(scores, dtype=np.float32))


def scores_of(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_by_hand() -> None:
    """The first three are put in order, ties by the higher document; the rest stays, below."""
    found = reordered(ranking([[4, 9, 2, 7, 1]], [[5, 4, 3, 2, 1]]), scores_of([0.5, -1.0, 0.5]))
    assert found.docs.tolist() == [[4, 2, 9, 7, 1]]
    assert found.scores.tolist() == [[0.5, 0.5, -1.0, -2.0, -3.0]]
    assert reordered(ranking([[2, 4]], [[1, 1]]), scores_of([0.5, 0.5])).docs.tolist() == [[4, 2]]


def test_short_lists_stay_short() -> None:
    found = reordered(ranking([[3, PAD_DOC, PAD_DOC], [5, 6, 7]], [[1, -INF, -INF], [3, 2, 1]]), scores_of([2, np.nan], [0, 1]))
    assert found.docs.tolist() == [[3, PAD_DOC, PAD_DOC], [6, 5, 7]]
    assert found.scores.tolist() == [[2, -INF, -INF], [1, 0, -1]]


@given(seed=st.integers(0, 999), width=st.integers(1, 6))
def test_scores_fall_and_no_document_is_lost(seed: int, width: int) -> None:
    generator = np.random.default_rng(seed)
    docs = np.array([generator.permutation(20)[:6] for _ in range(4)])
    docs[0, 3:] = PAD_DOC
    first = Ranking(np.arange(4), docs, np.where(docs == PAD_DOC, -INF, -np.arange(6.0)).astype(np.float32))
    new = generator.integers(-3, 3, (4, width)).astype(np.float32)
    found = reordered(first, new)
    with np.errstate(invalid="ignore"):
        assert (np.diff(found.scores) <= 0)[found.docs[:, 1:] != PAD_DOC].all()
    for row in range(4):
        given_scores = dict(zip(docs[row, :width].tolist(), new[row].tolist(), strict=True))
        top = sorted((doc for doc in docs[row, :width].tolist() if doc != PAD_DOC), key=lambda doc: (-given_scores[doc], -doc))
        assert [doc for doc in found.docs[row].tolist() if doc != PAD_DOC] == top + [doc for doc in docs[row, width:].tolist() if doc != PAD_DOC]


def test_a_document_without_a_score_is_an_error() -> None:
    with pytest.raises(DataError, match=r"query row 1 has a document without a score \(1 such queries\)"):
        reordered(ranking([[1, 2], [3, 4]], [[1, 0], [1, 0]]), scores_of([1, 2], [np.nan, 1]))


DOCS = np.array([[7, 8, 9]])


def test_reciprocal_ranks_by_hand() -> None:
    found = fused(DOCS, [scores_of([3, 2, 1]), scores_of([0, 5, 5])], "rrf")
    # by the first 7, 8, 9; by the second 9, 8 (a tie: the higher document first), 7
    assert found[0].tolist() == pytest.approx([1 / 61 + 1 / 63, 1 / 62 + 1 / 62, 1 / 63 + 1 / 61])


def test_weights_and_standard_scores_by_hand() -> None:
    assert fused(DOCS, [scores_of([3, 2, 1]), scores_of([0, 5, 5])], "weighted", [1, 0.5]).tolist() == [[3, 4.5, 3.5]]
    found = fused(DOCS, [scores_of([3, 2, 1]), scores_of([4, 4, 4])], "z-norm", [2, 100])[0]
    assert found.tolist() == pytest.approx([2 * 1.5**0.5, 0, -2 * 1.5**0.5])  # std of 3, 2, 1 is sqrt(2/3); one score for all says nothing


@pytest.mark.parametrize("how", ["rrf", "weighted", "z-norm"])
def test_padding_takes_no_part(how: Fusion) -> None:
    docs = np.array([[7, 8, PAD_DOC]])
    padded = fused(docs, [scores_of([3, 2, 99]), scores_of([0, 5, np.nan])], how)
    assert padded[0, :2].tolist() == fused(docs[:, :2], [scores_of([3, 2]), scores_of([0, 5])], how)[0].tolist()
    assert padded[0, 2] == -INF


def test_each_scoring_has_a_weight() -> None:
    with pytest.raises(SettingsError, match="1 weights for 2 scorings"):
        fused(DOCS, [scores_of([1, 2, 3])] * 2, "weighted", [1.0])


def test_lists_of_different_documents_are_fused_by_hand() -> None:
    found = fused_lists([["a", "b", "c"], ["c", "d"]])
    assert [name for name, _ in found] == ["c", "a", "d", "b"]
    assert [score for _, score in found] == pytest.approx([1 / 63 + 1 / 61, 1 / 61, 1 / 62, 1 / 62])
    assert fused_lists([[], []]) == []
