"""The page of a sweep, written out."""

from __future__ import annotations

from ray_pipeline.reports.sweep import TrialRow, short_keys, sweep_report, trial_table

TRIALS = [
    TrialRow(
        0,
        {"train.optimizer.lr": 2e-05, "rows.split": "a|b"},
        "finished",
        "all steps done",
        0.5,
        20,
        0.25,
        40,
        65.0,
        "w/model/a",
        ((20, 0.5), (40, 0.25)),
    ),
    TrialRow(
        1, {"train.optimizer.lr": 1e3, "rows.split": "c"}, "collapsed", "the metric fell\nby half", 0.1, 0, 0.01, 20, 3.0, "w/model/b", ((0, 0.1),)
    ),
    TrialRow(2, {"train.optimizer.lr": 1e-5, "rows.split": "c"}, "failed", "no such split", None, None, None, None, 0.2, None),
]


def test_keys_are_as_short_as_tells_them_apart() -> None:
    assert short_keys(["train.optimizer.lr", "train.seed", "rows.seed"]) == {
        "train.optimizer.lr": "lr",
        "train.seed": "train.seed",
        "rows.seed": "rows.seed",
    }
    assert short_keys(["seed", "train.seed"]) == {"seed": "seed", "train.seed": "train.seed"}


def test_the_table_by_hand() -> None:
    assert trial_table(TRIALS, "map@25", 0).splitlines() == [
        "| trial | lr | split | map@25 | at step | last | steps | ended | time |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| **0** | **2e-05** | **a\\|b** | **0.5000** | **20** | **0.2500** | **40** | **finished** | **1:05** |",
        "| 1 | 1000 | c | 0.1000 | 0 | 0.0100 | 20 | collapsed | 0:03 |",
        "| 2 | 1e-05 | c |  |  |  |  | failed | 0:00 |",
    ]


def test_the_report_says_what_was_best_what_was_left_out_and_what_went_wrong() -> None:
    text = sweep_report(TRIALS, "map@25", 0, {"train.optimizer.lr_head": "the model trains no such parameter"}, "python -m jobs.x a=1")
    assert "Best: trial 0, map@25 0.5000 at step 20." in text
    assert "```\npython -m jobs.x a=1\n```" in text
    assert "- train.optimizer.lr_head: the model trains no such parameter" in text
    assert "- trial 1 collapsed: the metric fell by half" in text
    assert "- trial 2 failed: no such split" in text
    assert "| 0 | 20: 0.5000, 40: 0.2500 |" in text
    none = sweep_report(TRIALS[1:], "map@25", None, {}, "")
    assert "No trial came to a good end." in none
    assert "Left out" not in none
