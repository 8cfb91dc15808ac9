from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.comparison import Comparison, compare
from ray_pipeline.metrics.evaluation_set import EvaluationSet
from ray_pipeline.metrics.qrels import Qrels
from ray_pipeline.metrics.ranking import RankingMetrics, RankingResult
from ray_pipeline.metrics.significance import Interval

QUERIES = 60


def evaluated_at(first_ranks: np.ndarray, set_of: EvaluationSet | None = None) -> RankingResult:
    """One positive a query, found at the given ranks (from 0); query 0 has no positive."""
    rows = np.arange(1, QUERIES)
    qrels = Qrels.from_pairs(rows, np.zeros(QUERIES - 1, dtype=int), np.ones(QUERIES - 1, dtype=int), QUERIES)
    docs = np.tile(np.arange(1, 11), (QUERIES, 1))
    docs[np.arange(QUERIES), first_ranks] = 0
    metrics = RankingMetrics(qrels, [1], evaluation_set=set_of or EvaluationSet(QUERIES, 11, QUERIES - 1, "f" * 64))
    metrics.update(np.arange(QUERIES), docs)
    return metrics.result()


def test_a_better_system_is_said_to_be_better_and_the_other_way_round() -> None:
    worse_ranks = np.full(QUERIES, 1)
    worse_ranks[:40] = 3
    good, bad = evaluated_at(np.ones(QUERIES, dtype=int)), evaluated_at(worse_ranks)
    result = compare(good, bad, "mrr", seed=0)
    assert result.new == 0.5 and result.reference == pytest.approx((39 * 0.25 + 20 * 0.5) / 59)
    assert result.difference.mean == pytest.approx(39 / 59 / 4)
    assert (result.better, result.worse) == (39, 0)
    assert result.shown and result.p_value < 0.001
    assert result.sentence().startswith("better by 16.5 points, 95% interval 1") and result.sentence().endswith(", 59 queries")
    turned = compare(bad, good, "mrr", seed=0)
    assert turned.sentence().startswith("worse by 16.5 points, 95% interval 1") and (turned.better, turned.worse) == (0, 39)


def test_equal_systems_show_no_difference() -> None:
    same = evaluated_at(np.ones(QUERIES, dtype=int))
    assert compare(same, same, "mrr", seed=0).sentence() == "no difference shown (0.0 points, 95% interval 0.0 to 0.0, 59 queries)"


def test_the_sentences_word_for_word() -> None:
    def say(mean: float, low: float, high: float) -> str:
        return Comparison("map@25", 0, 0, Interval(mean, low, high, 0.95, 1597), 0.01, 0, 0).sentence()

    assert say(0.021, 0.004, 0.038) == "better by 2.1 points, 95% interval 0.4 to 3.8, 1,597 queries"
    assert say(-0.021, -0.038, -0.004) == "worse by 2.1 points, 95% interval 0.4 to 3.8, 1,597 queries"
    assert say(0.003, -0.01, 0.016) == "no difference shown (0.3 points, 95% interval -1.0 to 1.6, 1,597 queries)"


def test_clusters_widen_the_interval() -> None:
    ranks = np.ones(QUERIES, dtype=int)
    ranks[:30] = 3
    good, bad = evaluated_at(np.ones(QUERIES, dtype=int)), evaluated_at(ranks)
    alone = compare(good, bad, "mrr", seed=0).difference
    together = compare(good, bad, "mrr", seed=0, clusters=np.arange(QUERIES) // 10).difference
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    with pytest.raises(DataError, match="clusters"):
        compare(good, bad, "mrr", seed=0, clusters=np.arange(QUERIES - 1))


def test_different_or_unknown_evaluation_sets_are_refused() -> None:
    here = evaluated_at(np.ones(QUERIES, dtype=int))
    elsewhere = replace(here, evaluation_set=EvaluationSet(QUERIES, 12, QUERIES - 1, "e" * 64))
    with pytest.raises(DataError, match=r"different evaluation sets cannot be compared: f{12} .* e{12} "):
        compare(here, elsewhere, "mrr", seed=0)
    with pytest.raises(DataError, match="does not say which evaluation set"):
        compare(here, replace(here, evaluation_set=None), "mrr", seed=0)
