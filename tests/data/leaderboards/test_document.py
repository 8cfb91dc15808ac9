"""A hand-made document, small enough to check by eye."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ray_pipeline.data.leaderboards.document import Document, read_document
from ray_pipeline.data.leaderboards.figures import Figure, cells, figure_rows, plain
from ray_pipeline.errors import DataError

TEXT = """- [mbpp](#mbpp)

## 说明
> 本文的基准是 base-1、base-2 中的最优

## mbpp
### 总表
* 🥇 时间短，Pass@1 高

| 模型 (Model) | 平均时间 (avg_time) | Pass@1 |
| :--- | :--- | :--- |
| base-1 | 🥇10.00 | 0.5000 |
| base-2 | <font color="#e33d30">20.00</font> | 🥇0.6000 |
| fam-x | 15.00 | 0.5500 |

> 时间优于基准，准确率不如基准：

`x`

- `base-2`

> x比所有人都好

### 相对于: `base-1`
> **基准值: { 平均时间 (avg_time): 10.00, Pass@1: 0.5000 }**

| Model | avg_time | Speedup | Pass@1 |
| --- | --- | --- | --- |
| fam-x | <font color="#E33D30">+5.00</font> | <font color="#E33D30">0.67x</font> | <font color="#1ABD76">+0.0500</font> |

| another | table |
| --- | --- |
| 1 | 2 |

## 总结
* x在mbpp上准确率优于基准
"""


def document(folder: Path, text: str = TEXT, *rules: str) -> Document:
    path = folder / "board.md"
    path.write_text(text, encoding="utf-8")
    return read_document(str(path), rules or ("=fam-",))


def test_tables_baselines_and_sentences(tmp_path: Path) -> None:
    found = document(tmp_path)
    (section,) = found.sections
    assert section.benchmark == "mbpp"
    assert [row.model for row in section.rows] == ["base-1", "base-2", "fam-x"]
    assert section.rows[0].avg_time == Figure(Decimal("10.00"), medal=1)
    assert section.rows[1].avg_time == Figure(Decimal("20.00"), colour="#E33D30")
    (table,) = section.deltas
    assert (table.baseline, table.values) == (("base-1",), (Figure(Decimal("10.00")), Figure(Decimal("0.5000"))))
    assert table.rows[0].speedup == Figure(Decimal("0.67"), colour="#E33D30")
    assert found.best_of == ("base-1", "base-2")
    assert found.baselines == (("base-1", "base-2"), ("base-1",))
    listed, closing = found.statements
    assert (listed.names, listed.exhaustive) == (("x", "base-2"), True)
    assert (closing.names, closing.benchmarks, closing.exhaustive) == (("x",), ("mbpp",), False)
    assert [text for _, text in found.unread] == ["x比所有人都好"]
    assert [(one.model, one.avg_time, one.pass_at_1, one.place.rpartition(":")[2]) for one in found.standings()][2] == ("fam-x", 15.0, 0.55, "14")


def test_a_heading_of_one_verdict_is_a_list_too(tmp_path: Path) -> None:
    found = document(tmp_path, TEXT.replace("时间优于基准，准确率不如基准：", "时间优于基准："))
    assert (found.statements[0].names, found.statements[0].exhaustive, found.statements[0].correctness) == (("x", "base-2"), True, None)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("| fam-x | 15.00 |", "| fam-x | fifteen |", "board.md:14: the avg_time 'fifteen' is no figure"),
        ("| fam-x | 15.00 | 0.5500 |", "| fam-x | 15.00 |", "board.md:14: the row has 2 cells, its header 3"),
        ("### 相对于: `base-1`", "### 相对于", "board.md:27: the table does not say which baseline it is held against"),
        ("| 模型 (Model) | 平均时间 (avg_time) | Pass@1 |", "| a | b | c |", "no table with the columns Model, avg_time and Pass@1 stands under"),
        ("| fam-x | 15.00 |", "| fam-x | -15.00 |", "board.md:14: 'fam-x' on 'mbpp': avg_time is -15"),
    ],
)
def test_a_damaged_document_is_told_with_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in TEXT
    with pytest.raises(DataError) as told:
        document(tmp_path, TEXT.replace(old, new)).standings()
    assert words in str(told.value)


def test_two_main_tables_of_a_benchmark_are_one(tmp_path: Path) -> None:
    more = "\n| Model | Pass@1 | avg_time |\n| --- | --- | --- |\n| other | 0.1 | 1 |\n"
    found = document(tmp_path, TEXT.replace("> 时间优于", more + "\n> 时间优于"))
    assert [(row.model, row.avg_time.value) for row in found.sections[0].rows][-1] == ("other", Decimal(1))


def test_how_near_two_figures_are() -> None:
    figure = Figure(Decimal("-12235.76"))
    assert figure.is_near(-12235.77)
    assert figure.is_near(-12235.7549)
    assert not figure.is_near(-12235.78)


def test_cells_are_cut_at_bars_that_are_not_escaped() -> None:
    assert cells(r"| a\|b | c |") == [r"a\|b", "c"]
    assert plain(r"a\|b\_c &lt;i&gt;") == "a|b_c <i>"
    rows = [(1, "| Model | avg_time | Pass@1 | 95% interval of Pass@1 |"), (2, "|---|---|---|---|"), (3, "| m | 1 | 0.5 | 0.4 to 0.6 |")]
    found = figure_rows(rows, "x")
    assert found is not None
    assert found[0].pass_at_1.value == Decimal("0.5")
    assert figure_rows([(1, "| a | b |")], "x") is None
