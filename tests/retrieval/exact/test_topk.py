"""Keys order as rankings do; merging shards is exact, associative and independent of order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.exact.topk import PAD_KEY, best, keys_of, merge, ranking_of, rows_of, scores_of

SCORES = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, 1.0000001, -1.0, 3.4e38, -3.4e38, 1e-45])


def slow_merge(rankings: list[Ranking], k: int) -> Ranking:
    """Python's own sort on (score descending, row descending)."""
    queries = rankings[0].queries
    docs, scores = np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -np.inf, np.float32)
    for query in range(len(queries)):
        pairs = [(float(s), int(d)) for r in rankings for s, d in zip(r.scores[query], r.docs[query], strict=True) if d >= 0]
        for place, (score, doc) in enumerate(sorted(pairs, reverse=True)[:k]):
            docs[query, place], scores[query, place] = doc, score
    return Ranking(queries, docs, scores)


def same(one: Ranking, other: Ranking) -> bool:
    """Equal to the byte, except that 0.0 and -0.0 are one score."""
    return (
        np.array_equal(one.queries, other.queries)
        and np.array_equal(one.docs, other.docs)
        and (one.scores + np.float32(0)).tobytes() == (other.scores + np.float32(0)).tobytes()
    )


@st.composite
def shards(draw: st.DrawFn) -> list[Ranking]:
    """Disjoint shards of one corpus, each already the full ranking of its documents, some padded, some empty."""
    queries, docs = draw(st.integers(1, 3)), draw(st.integers(1, 24))
    owner = draw(st.lists(st.integers(0, 3), min_size=docs, max_size=docs))
    scores = np.array(draw(st.lists(SCORES, min_size=queries * docs, max_size=queries * docs)), dtype=np.float32).reshape(queries, docs)
    made = []
    for shard in range(4):
        rows = np.flatnonzero(np.array(owner) == shard)
        keys = keys_of(torch.from_numpy(scores[:, rows].copy()), torch.from_numpy(rows).expand(queries, -1))
        made.append(ranking_of(best(keys, len(rows) + draw(st.integers(0, 2))), np.arange(queries, dtype=np.int64) * 10))
    return made


def test_keys_order_as_the_ranking_does_and_round_trip() -> None:
    scores = torch.tensor([-3.4e38, -1.0, -1e-45, 0.0, 1e-45, 1.0, 1.0000001, 3.4e38])
    low, high = torch.zeros(len(scores), dtype=torch.int64), torch.full((len(scores),), 2**32 - 1)
    keys = torch.stack([keys_of(scores, low), keys_of(scores, high)], dim=1).flatten()  # same score: the larger row is better
    assert torch.equal(keys, keys.sort().values) and len(keys.unique()) == len(keys) and int(keys.min()) > PAD_KEY
    assert torch.equal(scores_of(keys_of(scores, high)), scores) and torch.equal(rows_of(keys_of(scores, high)), high)
    assert keys_of(torch.tensor([-0.0]), low[:1]) == keys_of(torch.tensor([0.0]), low[:1])


def test_padding_reads_back_as_padding_and_sorts_last() -> None:
    ranking = ranking_of(best(keys_of(torch.tensor([[-3.4e38]]), torch.tensor([[0]])), 3), np.array([7]))
    assert ranking.docs.tolist() == [[0, -1, -1]]
    assert ranking.scores[0, 1:].tolist() == [-np.inf, -np.inf]


def test_merge_by_hand() -> None:
    one = Ranking(np.array([0]), np.array([[4, 1, -1]]), np.array([[0.5, 0.25, -np.inf]], np.float32))
    two = Ranking(np.array([0]), np.array([[9, 2]]), np.array([[0.5, 0.25]], np.float32))
    merged = merge([one, two], 3)
    assert merged.docs.tolist() == [[9, 4, 2]] and merged.scores.tolist() == [[0.5, 0.5, 0.25]]
    assert merge([one, two], 5).docs.tolist() == [[9, 4, 2, 1, -1]]


@settings(max_examples=80, deadline=None)
@given(shards(), st.integers(1, 30))
def test_merge_equals_a_sort_in_any_order_and_grouping(parts: list[Ranking], k: int) -> None:
    expected = slow_merge(parts, k)
    for order in itertools.islice(itertools.permutations(parts), 0, 24, 5):
        assert same(merge(iter(order), k), expected)
    assert same(merge([merge(parts[:2], k), merge(parts[2:], k)], k), expected)
    assert same(merge([parts[0], merge([parts[1], merge(parts[2:], k)], k)], k), expected)


def test_merge_refuses_what_has_no_answer() -> None:
    one = Ranking(np.array([0]), np.array([[4]]), np.array([[0.5]], np.float32))
    with pytest.raises(SettingsError, match="k=0"):
        merge([one], 0)
    with pytest.raises(DataError, match="nothing to merge"):
        merge([], 1)
    with pytest.raises(DataError, match="document row 4 came twice"):
        merge([one, one], 2)
    with pytest.raises(DataError, match="different queries"):
        merge([one, Ranking(np.array([1]), one.docs, one.scores)], 2)
    with pytest.raises(DataError, match="query row 0 has a NaN"):
        merge([Ranking(one.queries, one.docs, np.array([[np.nan]], np.float32))], 1)
    with pytest.raises(DataError, match="32 bits"):
        merge([Ranking(one.queries, np.array([[2**32]]), one.scores)], 1)
