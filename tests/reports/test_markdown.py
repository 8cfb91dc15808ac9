from __future__ import annotations

from ray_pipeline.reports.markdown import cell, fenced, table


def test_a_table_line_by_line() -> None:
    assert table(["K", "Recall"], [("1", "0.5"), ("2", "0.75")]) == "| K | Recall |\n| --- | --- |\n| 1 | 0.5 |\n| 2 | 0.75 |"


def test_cells_cannot_break_the_table() -> None:
    assert cell("P(a|b)\n  is\t0.5") == "P(a\\|b) is 0.5"
    assert len(table(["a"], [["x | y\nz"]]).splitlines()) == 3


def test_a_fence_outgrows_the_backticks_inside() -> None:
    assert fenced("a: 1\n", "yaml") == "```yaml\na: 1\n```"
    assert fenced("````\nx\n````") == "`````\n````\nx\n````\n`````"
