"""Every kind of claim that the numbers do not bear, planted in a document whose other claims they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ray_pipeline.data.leaderboards.document import read_document
from ray_pipeline.data.leaderboards.standing import Standing
from ray_pipeline.reports.leaderboard.board import Board, board_of
from ray_pipeline.reports.leaderboard.claims import Finding, findings

TEXT = """## mbpp

| Model | avg_time | Pass@1 |
| --- | --- | --- |
| base | 🥈10.00 | 0.2000 |
| fam-fast | 🥇8.00 | <font color="#E33D30">0.1000</font> |
| fam-both | 🥉10.05 | 🥇0.5000 |
| fam-right | <font color="#E33D30">20.00</font> | 🥈0.4000 |
| fam-last | 19.00 | 🥉0.3000 |

### `base`

> **{ avg_time: 10.00, Pass@1: 0.2000 }**

| Model | avg_time | Speedup | Pass@1 |
| --- | --- | --- | --- |
| fam-fast | <font color="#1ABD76">-2.00</font> | <font color="#1ABD76">1.25x</font> | <font color="#E33D30">-0.1000</font> |
| fam-both | <font color="#E33D30">+0.05</font> | 1.00x | <font color="#1ABD76">+0.3000</font> |
| fam-right | <font color="#E33D30">+10.00</font> | <font color="#E33D30">0.50x</font> | <font color="#1ABD76">+0.2000</font> |
| fam-last | <font color="#E33D30">+9.00</font> | <font color="#E33D30">0.53x</font> | <font color="#1ABD76">+0.1000</font> |

> 效率优于基准，准确率不如基准：

`fast`

> both的时间与基准持平，pass@1比基准高30.0%

## all

* fast在mbpp上效率优于基准
"""


def told(folder: Path, text: str, board: Board | None = None) -> list[Finding]:
    path = folder / "board.md"
    path.write_text(text, encoding="utf-8")
    document = read_document(str(path), ["=fam-"])
    return findings(document, board or board_of(document.standings()))


def test_what_is_so_is_not_found(tmp_path: Path) -> None:
    assert told(tmp_path, TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "kind", "model", "words"),
    [
        ("`fast`\n", "`fast`\n\n`quick`\n", "unknown name", "quick", "'quick' is the name of no model here"),
        ("`fast`\n", "`right`\n\n`fast`\n", "not so", "right", "its avg_time is +10.00 (20.00 against 10.00) and its Pass@1 is +0.2000"),
        ("`fast`\n", "", "missing", "fam-fast", "'fam-fast' is faster than and no more correct than 'base' on mbpp and missing on this list"),
        (
            "both的时间",
            "last的时间",
            "not so",
            "last",
            "called as fast as and more correct than (by 30.0%) 'base' on mbpp, but its avg_time is +9.00",
        ),
        ("30.0%", "29.8%", "not so", "both", "(by 29.8%)"),
        ("* fast在", "* right在", "not so", "right", "is called faster than 'base' on mbpp, but its avg_time is +10.00"),
        ("* fast在mbpp上效率优于基准", "* fast在mbpp上很好", "unread", "", "so it is not checked: * fast在mbpp上很好"),
        ("🥈10.00", "10.00", "mark", "base", "the avg_time of 'base' should have medal 2"),
        ("| 19.00", '| <font color="#E33D30">19.00</font>', "mark", "fam-last", "should have no medal and no colour"),
        ('<font color="#E33D30">20.00</font>', "20.00", "mark", "fam-right", "should be in red: it is the worst"),
        ("1.25x", "1.27x", "figure", "fam-fast", "the speedup of 'fam-fast' on mbpp is written 1.27, the numbers have 1.2500"),
        ("| 1.00x |", '| <font color="#E33D30">1.00x</font> |', "mark", "fam-both", "1.00, should be uncoloured, not #E33D30"),
        ('"#1ABD76">-2.00', '"#E33D30">-2.00', "mark", "fam-fast", "should be #1ABD76, not #E33D30"),
        (">-0.1000<", ">-0.1002<", "figure", "fam-fast", "the difference of Pass@1 of 'fam-fast' on mbpp is written -0.1002"),
        ("{ avg_time: 10.00", "{ avg_time: 10.02", "figure", "base", "the baseline's avg_time is written 10.02, the numbers have 10.0000"),
        ("### `base`", "### `bass`", "no row", "bass", "the table is against bass, which the numbers do not have on mbpp"),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, old: str, new: str, kind: str, model: str, words: str) -> None:
    assert TEXT.count(old) == 1
    found = told(tmp_path, TEXT.replace(old, new))
    assert any((one.kind, one.model) == (kind, model) and words in one.text for one in found), found
    assert old == "### `base`" or len(found) == 1, found


def test_one_in_the_last_digit_is_rounding(tmp_path: Path) -> None:
    assert told(tmp_path, TEXT.replace(">-0.1000<", ">-0.1001<").replace("+10.00<", "+10.01<")) == []


def test_rows_that_one_side_has_not(tmp_path: Path) -> None:
    short = "\n".join(line for line in TEXT.splitlines() if not line.startswith("| fam-last | <font"))
    (missing,) = told(tmp_path, short)
    assert (missing.kind, missing.model, missing.line) == ("missing", "fam-last", 15)
    numbers = board_of(
        Standing("mbpp", model, time, share, "here")
        for model, time, share in (("base", 10.0, 0.2), ("fam-fast", 8.0, 0.1), ("fam-both", 10.05, 0.5), ("fam-right", 20.0, 0.4))
    )
    found = told(tmp_path, TEXT, numbers)
    assert [(one.kind, one.model) for one in found if one.model == "fam-last"] == [("no row", "fam-last"), ("no row", "fam-last")]
    other = board_of([Standing("mbpp", "base", 10.0, 0.2, "here"), Standing("humaneval", "fam-fast", 8.0, 0.1, "here")])
    spoken = [one for one in told(tmp_path, TEXT, other) if one.line > 20]
    assert {(one.kind, one.model, one.benchmark) for one in spoken} == {("no row", "fast", "mbpp"), ("no row", "both", "mbpp")}
