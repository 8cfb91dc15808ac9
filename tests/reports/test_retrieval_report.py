from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.evaluation_set import EvaluationSet
from ray_pipeline.metrics.qrels import Qrels
from ray_pipeline.metrics.ranking import RankingMetrics, RankingResult
from ray_pipeline.reports.retrieval import (
    Command,
    PositivesPerQuery,
    QueryExample,
    RetrievalReport,
    build_report,
    compare_reports,
    from_json,
    to_json,
    worst_query_rows,
)
from ray_pipeline.reports.retrieval_markdown import BOARD_KS, score_block, to_markdown

QUERIES, DOCUMENTS = 40, 100
QRELS = Qrels.from_pairs(np.arange(QUERIES - 1), np.arange(QUERIES - 1), np.ones(QUERIES - 1, dtype=int), QUERIES)
SET = EvaluationSet.of([f"q{row:02}" for row in range(QUERIES)], [f"d{row:03}" for row in range(DOCUMENTS)], QRELS)


def measured(seed: int = 0, ks: tuple[int, ...] = BOARD_KS, evaluation_set: EvaluationSet | None = SET) -> RankingResult:
    rng = np.random.default_rng(seed)
    seen = np.arange(QUERIES) % 4 > 0
    groups = {"seen": seen, "unseen": ~seen, "one": np.arange(QUERIES) == 3, "none": np.arange(QUERIES) == QUERIES - 1}
    metrics = RankingMetrics(QRELS, ks, groups=groups, evaluation_set=evaluation_set)
    metrics.update(np.arange(QUERIES), np.stack([rng.permutation(DOCUMENTS)[:70] for _ in range(QUERIES)]))
    return metrics.result()


def make_report(result: RankingResult | None = None, **changes: object) -> RetrievalReport:
    result = result or measured()
    parts: dict[str, object] = {
        "title": "MiniLM on Eedi",
        "header": {"Date": "1 May", "Model": "MiniLM"},
        "model": {
            "Hidden Dimension": 3584,
            "Trainable Parameters": 12388352,
            "LoRA Enabled": True,
            "Projection": None,
            "Template": "a|b",
        },
        "dataset": {"Queries": 40, "Documents": 100},
        "positives": QRELS.positives,
        "commands": [Command("Evaluate", "python -m jobs.evaluate model=minilm")],
        "config": "model:\n  name: minilm\n",
        "seed": 1,
        "worst": [QueryExample("q07", "one | two\nlines", 0.0, "d007", "d050")],
        "baselines": {"bm25": measured(seed=5)},
        **changes,
    }
    return build_report(result, **parts)  # type: ignore[arg-type]


def test_positives_per_query_by_hand() -> None:
    stats = PositivesPerQuery.of(np.array([0, 1, 2, 3, 4]))
    assert (stats.mean, stats.median, stats.minimum, stats.maximum) == (2.0, 2.0, 0, 4)
    assert stats.std == pytest.approx(2**0.5)
    assert stats.percentiles == {
        "P50": 2.0,
        "P75": 3.0,
        "P90": pytest.approx(3.6),
        "P95": pytest.approx(3.8),
        "P99": pytest.approx(3.96),
    }
    with pytest.raises(DataError, match="no queries"):
        PositivesPerQuery.of(np.zeros(0, dtype=np.int64))


def test_the_page_has_the_sections_in_order() -> None:
    page = to_markdown(make_report())
    titles = [line for line in page.splitlines() if line.startswith("#")]
    assert titles == [
        "# MiniLM on Eedi",
        "## Model Configuration",
        "## Dataset Statistics",
        "## Query Statistics (True Positives per Query)",
        "## Retrieval Metrics",
        "### Baselines",
        "### Precision & Recall at K",
        "### Other Measures at K",
        "### Groups",
        "### Score Block",
        "## Worst Queries",
        "## Commands Used",
        "### 1. Evaluate",
        "## Full Config",
    ]


def test_the_page_shows_the_numbers() -> None:
    result = measured()
    report = make_report(result)
    page = to_markdown(report)
    assert "**Date:** 1 May  \n**Model:** MiniLM" in page
    for line in (
        "| Hidden Dimension | 3584 |",
        "| Trainable Parameters | 12,388,352 |",
        "| LoRA Enabled | Yes |",
        "| Projection | none |",
        "| Template | a\\|b |",
        "| P50 | P75 | P90 | P95 | P99 |",
        "| Min | 0 |",
        "| Mean | 0.97 |",
        "| q07 | one \\| two lines | 0.0000 | d007 | d050 |",
    ):
        assert line in page.splitlines(), line
    mrr, interval = result.means["mrr"], report.overall.intervals["mrr"]
    assert f"| **MRR** | **{mrr:.4f}** | {interval.low:.4f} to {interval.high:.4f} |" in page
    assert f"| **MAP** | **{100 * result.means['map']:.2f}%** |" in page
    assert f"| 8 | {100 * result.means['precision@8']:.2f}% |" in page
    assert f"| mrr | {measured(seed=5).means['mrr']:.4f} | {mrr:.4f} |" in page  # the baseline beside the run
    assert "Means over the 39 queries with a positive; 1 without one are left out, 0 that were not ranked count 0. Lists go 70 deep." in page
    assert f"Evaluation set `{SET.fingerprint[:16]}`: 40 queries, 100 documents, 39 judgements." in page
    assert "```bash\npython -m jobs.evaluate model=minilm\n```" in page and "```yaml\nmodel:\n  name: minilm\n```" in page
    assert "nan" not in page.replace("NaN scores", "")


def test_parts_without_content_are_left_out() -> None:
    result = replace(measured(ks=(1, 10)), groups={})
    page = to_markdown(make_report(result, baselines={}, worst=()))
    for title in ("### Baselines", "### Groups", "### Score Block", "## Worst Queries"):
        assert title not in page
    assert "| 10 |" in page and "| 25 |" not in page


def test_intervals_hold_the_means_and_follow_clusters() -> None:
    result = measured()
    report = make_report(result)
    for name in ("mrr", "map@25", "recall@64"):
        interval = report.overall.intervals[name]
        assert interval.low <= result.means[name] == interval.mean <= interval.high and interval.queries == 39
    together = make_report(result, clusters=np.arange(QUERIES) // 20).overall.intervals["mrr"]
    assert together != report.overall.intervals["mrr"]
    assert report.groups["seen"].intervals["map@25"].mean == result.groups["seen"].means["map@25"]
    assert report.groups["one"].queries == 1 and report.groups["one"].intervals == {}
    assert report.groups["none"].queries == 0 and report.groups["none"].means == {}


def test_the_score_block_in_its_layout() -> None:
    overall = {"map@25": 0.21141, **{f"recall@{k}": k / 100 + 0.00004 for k in BOARD_KS}}
    block = score_block(overall, {"map@25": 0.2162}, {})
    assert block == (
        "--------------------------------\n"
        ">>> LB: 0.2114\n"
        ">>> Seen LB: 0.2162\n"
        ">>> Unseen LB: n/a\n"
        "--------------------------------\n"
        ">>> Current Recall@1 = 0.01\n"
        ">>> Current Recall@2 = 0.02\n"
        ">>> Current Recall@4 = 0.04\n"
        ">>> Current Recall@8 = 0.08\n"
        ">>> Current Recall@16 = 0.16\n"
        ">>> Current Recall@25 = 0.25\n"
        ">>> Current Recall@32 = 0.32\n"
        ">>> Current Recall@64 = 0.64"
    )
    assert score_block(overall, {"map@25": 0.2162}, {"map@25": math.nan}) == block
    del overall["recall@32"]
    with pytest.raises(DataError, match=r"the score block needs recall@32; measure with k in 1, 2, 4"):
        score_block(overall, {}, {})


def test_the_page_holds_the_score_block_of_its_groups() -> None:
    result = measured()
    page = to_markdown(make_report(result))
    lines = re.findall(r"^>>> (.*)$", page, flags=re.MULTILINE)
    assert lines[:3] == [
        f"LB: {round(result.means['map@25'], 4)}",
        f"Seen LB: {round(result.groups['seen'].means['map@25'], 4)}",
        f"Unseen LB: {round(result.groups['unseen'].means['map@25'], 4)}",
    ]
    assert len(lines) == 3 + len(BOARD_KS)


def test_json_round_trip() -> None:
    report = make_report()
    text = to_json(report)
    assert from_json(text, "report.json") == report
    plain = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert plain["overall"]["means"]["mrr"] == report.overall.means["mrr"]
    assert plain["evaluation_set"]["fingerprint"] == SET.fingerprint
    assert to_markdown(from_json(text, "report.json")) == to_markdown(report)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: "{", "the file: Invalid JSON"),
        (lambda text: "{}", "title: "),
        (lambda text: text.replace("retrieval report 1", "speed report 1"), "kind: "),
        (lambda text: text.replace('"depth": 70', '"depth": "deep"'), "counts.depth: "),
    ],
)
def test_a_file_that_is_no_report_names_itself_and_the_place(damage: object, words: str) -> None:
    with pytest.raises(DataError, match=f"report.json: not a retrieval report: {re.escape(words)}"):
        from_json(damage(to_json(make_report())), "report.json")  # type: ignore[operator]


def test_reports_on_one_set_compare_by_measure() -> None:
    new, reference = make_report(title="new"), make_report(measured(seed=5, ks=(1, 25)), title="old", baselines={})
    lines = compare_reports(new, reference).splitlines()
    assert lines[0] == "| Measure | old | new | Difference (points) |"
    now, old = new.overall.means["mrr"], reference.overall.means["mrr"]
    assert f"| mrr | {old:.4f} | {now:.4f} | {100 * (now - old):+.2f} |" in lines
    assert any(line.startswith("| recall@25 |") for line in lines) and not any(line.startswith("| recall@64 |") for line in lines)


def test_different_evaluation_sets_refuse_to_be_compared() -> None:
    elsewhere = EvaluationSet.of([f"q{row:02}" for row in range(QUERIES)], [f"d{row:03}" for row in range(DOCUMENTS + 1)], QRELS)
    with pytest.raises(DataError, match="different evaluation sets cannot be compared"):
        compare_reports(make_report(), make_report(measured(evaluation_set=elsewhere), baselines={}))
    with pytest.raises(DataError, match="different evaluation sets cannot be compared"):
        make_report(baselines={"bm25": measured(evaluation_set=elsewhere)})
    with pytest.raises(DataError, match="needs to know its evaluation set"):
        make_report(measured(evaluation_set=None))


def test_worst_queries_are_the_lowest_evaluated_ones() -> None:
    result = measured()
    rows = worst_query_rows(result, "mrr", 3)
    values = result.values["mrr"]
    assert values[rows].tolist() == sorted(result.evaluated_values("mrr").tolist())[:3]
    assert QUERIES - 1 not in worst_query_rows(result, "mrr", QUERIES)  # it has no positive
