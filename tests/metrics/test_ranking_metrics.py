from __future__ import annotations

import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.metrics.measures import measure_names
from ray_pipeline.metrics.qrels import Qrels
from ray_pipeline.metrics.ranking import RankingMetrics, RankingResult, evaluate_ranking
from ray_pipeline.ranking import Ranking

KS = [1, 2, 3, 5]


def make_qrels(judged: dict[int, dict[int, int]], queries: int, min_grade: int = 1) -> Qrels:
    pairs = np.array([(query, doc, grade) for query, docs in judged.items() for doc, grade in docs.items()]).reshape(-1, 3)
    return Qrels.from_pairs(pairs[:, 0], pairs[:, 1], pairs[:, 2], queries, min_grade)


def measured(docs: list[list[int]], judged: dict[int, dict[int, int]], ks: list[int] = KS, min_grade: int = 1) -> RankingResult:
    metrics = RankingMetrics(make_qrels(judged, len(docs), min_grade), ks)
    metrics.update(np.arange(len(docs)), np.array(docs))
    return metrics.result()


def test_every_measure_by_hand() -> None:
    # positives at ranks 2 and 4 of a list of four, a third is not found
    result = measured([[10, 11, 12, 13]], {0: {11: 1, 13: 3, 99: 2}})
    means = result.means
    found = {"hit@1": 0, "hit@2": 1, "precision@1": 0, "precision@2": 1 / 2, "precision@3": 1 / 3, "precision@5": 2 / 5}
    recalled = {"recall@2": 1 / 3, "recall@5": 2 / 3, "mrr": 1 / 2, "mrr@1": 0, "mrr@2": 1 / 2}
    averaged = {"map": (1 / 2 + 2 / 4) / 3, "map@3": (1 / 2) / 3, "map_min@2": (1 / 2) / 2, "map_min@1": 0, "map_min@5": 1 / 3}
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    gains = {
        "ndcg@1": 0,
        "ndcg@2": (1 / math.log2(3)) / (3 + 2 / math.log2(3)),
        "ndcg@5": (1 / math.log2(3) + 3 / math.log2(5)) / ideal,
    }
    for name, value in {**found, **recalled, **averaged, **gains}.items():
        assert means[name] == pytest.approx(value, abs=1e-12), name
    assert list(means) == measure_names(KS) and result.ks == tuple(KS)


def test_the_two_denominators_of_map_differ_for_a_perfect_short_list() -> None:
    means = measured([[1, 2]], {0: {1: 1, 2: 1, 3: 1, 4: 1}}, [2]).means
    assert means["map@2"] == 0.5 and means["map_min@2"] == 1.0


def test_with_one_positive_map_its_variant_and_mrr_agree() -> None:
    means = measured([[4, 9, 2], [8, 1, 3]], {0: {2: 1}, 1: {8: 1}}, [3]).means
    assert means["map@3"] == means["map_min@3"] == means["mrr@3"] == pytest.approx((1 / 3 + 1) / 2)


def test_missing_queries_count_zero_and_queries_without_positives_do_not_count() -> None:
    qrels = make_qrels({0: {1: 1}, 1: {1: 1}, 2: {1: 0}}, queries=4)
    metrics = RankingMetrics(qrels, [1])
    metrics.update(np.array([0, 2]), np.array([[1], [1]]))
    result = metrics.result()
    assert result.means["hit@1"] == 0.5
    assert np.array_equal(result.values["hit@1"], [1.0, 0.0, np.nan, np.nan], equal_nan=True)
    assert result.evaluated_values("hit@1").tolist() == [1.0, 0.0]
    counts = result.counts
    assert (counts.queries, counts.evaluated, counts.without_positives, counts.missing, counts.depth) == (4, 2, 2, 1, 1)


def test_nan_scores_are_ordered_last_and_counted() -> None:
    metrics = RankingMetrics(make_qrels({0: {1: 1}, 1: {1: 1}}, queries=2), [1, 2])
    nan = np.nan
    metrics.update(np.arange(2), np.array([[1, 2, -1], [1, 2, -1]]), np.array([[nan, 0.1, nan], [0.2, 0.1, nan]]))
    result = metrics.result()
    assert result.values["mrr"].tolist() == [0.5, 1.0]
    assert (result.counts.nan_scores, result.counts.queries_with_nan, result.counts.depth) == (1, 1, 2)


@pytest.mark.parametrize("block_cells", [40, 130, 2**18])
def test_blocks_give_what_one_update_gives(block_cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    docs = np.stack([rng.permutation(60)[:40] for _ in range(50)])
    scores = rng.integers(0, 6, docs.shape).astype(np.float32)
    judged = {query: {int(doc): int(grade) for doc, grade in zip(rng.permutation(60)[:5], rng.integers(0, 4, 5), strict=True)} for query in range(50)}
    qrels = make_qrels(judged, 50)
    whole = evaluate_ranking(Ranking(np.arange(50), docs, scores), qrels, KS)
    monkeypatch.setattr("ray_pipeline.metrics.qrels._BLOCK_CELLS", block_cells)  # 1 list, 3 lists, all lists at once inside
    metrics = RankingMetrics(qrels, KS)
    for rows in np.array_split(rng.permutation(50), 7):
        metrics.update(rows, docs[rows], scores[rows])
    parts = metrics.result()
    assert parts.counts == whole.counts
    for name in whole.values:
        assert np.array_equal(whole.values[name], parts.values[name], equal_nan=True), name


def test_groups_have_their_own_means() -> None:
    seen = np.array([True, True, False, False])
    empty = np.zeros(4, dtype=bool)
    qrels = make_qrels({0: {1: 1}, 1: {2: 1}, 2: {2: 1}}, queries=4)
    metrics = RankingMetrics(qrels, [1], groups={"seen": seen, "unseen": ~seen, "nobody": empty})
    metrics.update(np.arange(4), np.full((4, 1), 2))
    groups = metrics.result().groups
    assert (groups["seen"].queries, groups["seen"].means["hit@1"]) == (2, 0.5)
    assert (groups["unseen"].queries, groups["unseen"].means["hit@1"]) == (1, 1.0)
    assert groups["nobody"].queries == 0 and math.isnan(groups["nobody"].means["hit@1"])


@pytest.mark.parametrize("ks", [[], [0, 5], [-1]])
def test_a_bad_k_list_is_refused(ks: list[int]) -> None:
    with pytest.raises(SettingsError, match="k list"):
        RankingMetrics(make_qrels({0: {0: 1}}, 1), ks)


def test_a_repeated_k_is_one_k() -> None:
    assert measured([[1]], {0: {1: 1}}, [5, 1, 5]).ks == (1, 5)


def test_bad_blocks_are_refused_by_name() -> None:
    qrels = make_qrels({0: {0: 1}}, 3)
    docs = np.array([[1, 2], [3, 4]])
    with pytest.raises(DataError, match="query row 1 is ranked twice"):
        RankingMetrics(qrels, [1]).update(np.array([1, 1]), docs)
    metrics = RankingMetrics(qrels, [1])
    metrics.update(np.array([0, 2]), docs)
    with pytest.raises(DataError, match="query row 2 is ranked twice"):
        metrics.update(np.array([1, 2]), docs)
    with pytest.raises(DataError, match="query row 3 is outside the 3 queries"):
        RankingMetrics(qrels, [1]).update(np.array([0, 3]), docs)
    with pytest.raises(DataError, match=r"2 queries, documents \(2, 2\), scores \(2, 1\)"):
        RankingMetrics(qrels, [1]).update(np.array([0, 1]), docs, np.zeros((2, 1), dtype=np.float32))
    with pytest.raises(DataError, match="query row 1: document row 3 is listed twice"):
        RankingMetrics(qrels, [1]).update(np.array([0, 1]), np.array([[1, 2], [3, 3]]))


def test_bad_groups_unknown_measures_and_nothing_to_average_are_refused() -> None:
    qrels = make_qrels({0: {0: 1}}, 2)
    for members in (np.array([True]), np.array([1, 0])):
        with pytest.raises(DataError, match="group 'seen'"):
            RankingMetrics(qrels, [1], groups={"seen": members})
    with pytest.raises(DataError, match="'map@7' was not computed"):
        measured([[1]], {0: {1: 1}}).evaluated_values("map@7")
    with pytest.raises(DataError, match="none of 1 queries has a document of grade 2 or more"):
        measured([[1]], {0: {1: 1}}, min_grade=2)


def test_an_empty_block_and_an_empty_list_are_fine() -> None:
    metrics = RankingMetrics(make_qrels({0: {0: 1}}, 1), [1])
    metrics.update(np.zeros(0, dtype=np.int64), np.zeros((0, 4), dtype=np.int64))
    metrics.update(np.array([0]), np.array([[-1, -1]]))
    result = metrics.result()
    assert result.means["map"] == 0.0 and result.counts.missing == 0 and result.counts.depth == 0


TREC = {
    "map": "map",
    "mrr": "recip_rank",
    **{f"map@{k}": f"map_cut_{k}" for k in KS},
    **{f"ndcg@{k}": f"ndcg_cut_{k}" for k in KS},
    **{f"precision@{k}": f"P_{k}" for k in KS},
    **{f"recall@{k}": f"recall_{k}" for k in KS},
    **{f"hit@{k}": f"success_{k}" for k in KS},
}
CUTS = ",".join(map(str, KS))
TREC_MEASURES = {"map", "recip_rank", *(f"{name}.{CUTS}" for name in ("map_cut", "ndcg_cut", "P", "recall", "success"))}


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[int, dict[int, int]], dict[int, dict[int, float]], int]:
    """Judgements and runs of a few queries, scores from few values so that ties abound."""
    queries = draw(st.integers(1, 5))
    doc = st.integers(0, 12)
    judged = {q: draw(st.dictionaries(doc, st.integers(-1, 3), max_size=8)) for q in range(queries)}
    score = st.one_of(st.sampled_from([0.0, -0.0, 0.25, 0.5, -1.0, 1e-12]), st.floats(-2, 2, width=32))
    run = {q: draw(st.dictionaries(doc, score, min_size=1, max_size=10)) for q in range(queries)}
    return judged, run, draw(st.integers(1, 2))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_equal_to_pytrec_eval_on_random_runs_with_ties(
    case: tuple[dict[int, dict[int, int]], dict[int, dict[int, float]], int],
) -> None:
    judged, run, min_grade = case
    qrels = make_qrels(judged, len(judged), min_grade)
    width = max(map(len, run.values()))
    docs = np.full((len(run), width), -1)
    scores = np.full((len(run), width), -np.inf, dtype=np.float32)
    for query, scored in run.items():
        docs[query, : len(scored)] = list(scored)
        scores[query, : len(scored)] = list(scored.values())
    if not (qrels.positives > 0).any():
        return
    result = evaluate_ranking(Ranking(np.arange(len(run)), docs, scores), qrels, KS)
    evaluator = pytrec_eval.RelevanceEvaluator(
        {f"q{q}": {f"d{doc:03}": grade for doc, grade in docs.items()} for q, docs in judged.items() if docs},
        TREC_MEASURES,
        relevance_level=min_grade,
    )
    expected = evaluator.evaluate({f"q{q}": {f"d{doc:03}": score for doc, score in scored.items()} for q, scored in run.items()})
    for query in np.flatnonzero(result.evaluated):
        for ours, theirs in TREC.items():
            assert result.values[ours][query] == pytest.approx(expected[f"q{query}"][theirs], abs=1e-9), (query, ours)
        for k in KS:
            assert result.values[f"mrr@{k}"][query] == pytest.approx(_cut_reciprocal(expected[f"q{query}"]["recip_rank"], k))
            scale = qrels.positives[query] / min(qrels.positives[query], k)
            assert result.values[f"map_min@{k}"][query] == pytest.approx(expected[f"q{query}"][f"map_cut_{k}"] * scale, abs=1e-9)


def _cut_reciprocal(value: float, k: int) -> float:
    return value if value and round(1 / value) <= k else 0.0


def test_equal_to_pytrec_eval_on_long_lists_with_many_positives() -> None:
    rng = np.random.default_rng(11)
    queries, depth, documents = 40, 600, 2000
    docs = np.stack([rng.permutation(documents)[:depth] for _ in range(queries)])
    scores = rng.integers(0, 50, docs.shape).astype(np.float32)
    judged = {q: {int(d): int(g) for d, g in zip(rng.permutation(documents)[:120], rng.integers(1, 4, 120), strict=True)} for q in range(queries)}
    result = evaluate_ranking(Ranking(np.arange(queries), docs, scores), make_qrels(judged, queries), [10, 1000])
    evaluator = pytrec_eval.RelevanceEvaluator(
        {f"q{q}": {f"d{doc:05}": grade for doc, grade in docs.items()} for q, docs in judged.items()},
        {"map", "ndcg_cut.10,1000", "recall.10,1000", "P.10,1000"},
    )
    run = {f"q{q}": {f"d{d:05}": float(s) for d, s in zip(docs[q], scores[q], strict=True)} for q in range(queries)}
    for query, values in evaluator.evaluate(run).items():
        for ours, theirs in (
            ("map", "map"),
            ("ndcg@1000", "ndcg_cut_1000"),
            ("recall@10", "recall_10"),
            ("precision@1000", "P_1000"),
        ):
            assert result.values[ours][int(query[1:])] == pytest.approx(values[theirs], abs=1e-9)
