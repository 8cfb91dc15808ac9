"""The table of runs, by hand: cells, missing runs, notes with bars in them, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json

import numpy as np

from ray_pipeline.evaluation.tools.runs import ToolModel, Verdicts, differences
from ray_pipeline.reports.tool_runs import tool_csv, tool_json, tool_page, tool_table

RIGHT = np.array([[1, 1], [1, 0], [0, 0], [1, 0]], bool)
ENTRIES = ("a", "b", "c", "d")
WHOLE = ToolModel("full4", {"multiple": Verdicts("multiple", ENTRIES, RIGHT)}, 2, "hardgen | 14k")
PART = ToolModel("verl7", {"multiple": Verdicts("multiple", ENTRIES, RIGHT[:, :1])}, 3, faults=2)


def test_the_table_by_hand() -> None:
    assert tool_table([WHOLE, PART]).splitlines() == [
        "| model | category | run 1 | run 2 | run 3 | mean | std over runs | standard error | status | note |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| full4 | multiple | 75.00 | 25.00 |  | 50.00 | 35.36 | 25.00 | 2 of 2 runs | hardgen \\| 14k |",
        "| verl7 | multiple | 75.00 |  |  | 75.00 | one run has none | 21.65 | 1 of 3 runs | 2 failed in their simulators |",
    ]
    assert tool_table([ToolModel("verl8", {}, 1, "waits")]).splitlines()[-1] == "| verl8 |  |  |  |  |  | 0 of 1 runs | waits |"


def test_the_page_says_what_may_be_said_of_differences() -> None:
    compared = differences(WHOLE, PART)
    page = tool_page([WHOLE, PART], compared)
    assert tool_table([WHOLE, PART]) in page
    assert f"- {compared[0].sentence()}" in page
    assert "## Differences" not in tool_page([WHOLE], [])


def test_a_line_of_csv_for_each_run() -> None:
    lines = list(csv.DictReader(io.StringIO(tool_csv([WHOLE, PART]))))
    assert [(one["model"], one["run"], one["right"], one["accuracy"]) for one in lines] == [
        ("full4", "1", "3", "0.75"),
        ("full4", "2", "1", "0.25"),
        ("verl7", "1", "3", "0.75"),
    ]


def test_all_of_it_as_json() -> None:
    found = json.loads(tool_json([WHOLE, PART], differences(WHOLE, PART)))
    assert found["models"][0]["categories"]["multiple"]["runs"] == [0.75, 0.25]
    assert found["models"][1]["categories"]["multiple"]["std_over_runs"] is None
    assert found["differences"][0]["real"] is False
