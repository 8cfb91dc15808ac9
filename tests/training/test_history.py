from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.training.history import best_row, evaluation_table, from_lines, to_lines


def evaluation(epoch: float, step: int, **figures: Any) -> dict[str, Any]:
    return {"kind": "evaluation", "epoch": epoch, "step": step, **figures}


EVALUATIONS = [
    evaluation(0.0, 0, **{"map@25": 0.0342, "recall@25": 0.4864}),
    evaluation(1.0, 1250, **{"train_loss": 2.51239, "map@25": 0.2137, "recall@25": 0.6214, "external": 0.21}),
    evaluation(2.0, 2500, **{"train_loss": 6.9, "map@25": 0.0662, "recall@25": 0.2312}),
]


def test_rows_come_back_as_they_were() -> None:
    rows = [{"kind": "step", "step": 1, "epoch": 0.5, "loss": 1.25, "lr": 1e-5, "note": "ä\nb"}, *EVALUATIONS]
    text = to_lines(rows)
    assert text.count("\n") == 4
    assert from_lines(text, "history.jsonl") == rows
    assert to_lines([]) == "" and from_lines("", "history.jsonl") == []


def test_the_row_that_says_the_loss_became_nan_is_kept_as_json() -> None:
    text = to_lines([{"step": 7, "loss": math.nan, "grad_norm": math.inf, "least": -math.inf}])
    assert json.loads(text) == {"step": 7, "loss": "NaN", "grad_norm": "Infinity", "least": "-Infinity"}
    (row,) = from_lines(text, "history.jsonl")
    assert math.isnan(row["loss"]) and row["grad_norm"] == math.inf and row["least"] == -math.inf


@given(st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False))))
def test_any_figures_survive(rows: list[dict[str, Any]]) -> None:
    assert from_lines(to_lines(rows), "history.jsonl") == rows


@pytest.mark.parametrize("line", ['{"step": 2, "lo', "[1, 2]", "3"])
def test_a_damaged_line_is_named(line: str) -> None:
    with pytest.raises(DataError, match=r"history\.jsonl:2: not a row"):
        from_lines(f'{{"step": 1}}\n{line}\n', "history.jsonl")


def test_the_best_is_really_the_best() -> None:
    def values(*found: float | None) -> list[dict[str, Any]]:
        return [evaluation(at, at, figure=value) for at, value in enumerate(found)]

    assert best_row(values(0.17, 0.2137, 0.0662), "figure") == 1
    assert best_row(values(3.0, 1.0, 2.0), "figure", greater_is_better=False) == 1
    assert best_row(values(0.2, 0.5, 0.5), "figure") == 1  # the first of equals
    assert best_row(values(0.5, 0.2, 0.2), "figure", greater_is_better=False) == 1
    assert best_row(values(math.nan, 0.1, None), "figure") == 1
    assert best_row(values(math.nan), "figure") is None
    assert best_row([], "figure") is None
    assert best_row([{"step": 0}, *values(-2.0)], "figure") == 1


def test_the_table_as_text_marks_the_best() -> None:
    table = evaluation_table(EVALUATIONS, "map@25")
    assert table.best == 1
    assert table.text().splitlines() == [
        "  epoch   step  train loss  MAP@25  Recall@25  external score",
        "   0.00      0              0.0342     0.4864",
        "*  1.00  1,250      2.5124  0.2137     0.6214          0.2100",
        "   2.00  2,500      6.9000  0.0662     0.2312",
    ]


def test_the_table_as_markdown_has_the_best_in_bold() -> None:
    assert evaluation_table(EVALUATIONS, "map@25").markdown().splitlines() == [
        "| epoch | step | train loss | MAP@25 | Recall@25 | external score |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
        "| 0.00 | 0 |  | 0.0342 | 0.4864 |  |",
        "| **1.00** | **1,250** | **2.5124** | **0.2137** | **0.6214** | **0.2100** |",
        "| 2.00 | 2,500 | 6.9000 | 0.0662 | 0.2312 |  |",
    ]


def test_other_metrics_by_their_names_and_the_deciding_one_always() -> None:
    rows = [evaluation(1.0, 5, **{"ndcg@10": 0.5, "loss": 2.0, "seen": 3}), evaluation(2.0, 9, **{"ndcg@10": 0.4, "loss": 1.0})]
    table = evaluation_table(rows, "loss", columns=("ndcg@10", "seen", "mrr@10"), greater_is_better=False)
    assert table.header == ("epoch", "step", "nDCG@10", "seen", "loss")
    assert table.rows == (("1.00", "5", "0.5000", "3", "2.0000"), ("2.00", "9", "0.4000", "", "1.0000"))
    assert table.best == 1


def test_a_run_without_evaluations_has_a_header_only() -> None:
    table = evaluation_table([], "map@25")
    assert (table.text(), table.best) == ("  epoch  step", None)
