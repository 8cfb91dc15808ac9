"""jobs.leaderboard: two pages from rows or from a document; a mistake ends in one line and leaves nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jobs.leaderboard import main

CSV = "model,benchmark,avg_time,pass@1\nbase,mbpp,100,0.2\nfam-quick,mbpp,80,0.1\nbest,mbpp,90,0.3\nbase,humaneval,10,0.2\nbest,humaneval,9,0.3\n"
DOCUMENT = """## mbpp

| Model | avg_time | Pass@1 |
| --- | --- | --- |
| base | 🥉100.00 | 🥈0.2000 |
| fam-quick | 🥇80.00 | 🥉0.1000 |
| best | 🥈90.00 | 🥇0.3000 |

### `base`

| Model | avg_time | Speedup | Pass@1 |
| --- | --- | --- | --- |
| fam-quick | <font color="#1ABD76">-20.00</font> | <font color="#1ABD76">1.25x</font> | <font color="#E33D30">-0.1000</font> |
| best | <font color="#1ABD76">-10.00</font> | <font color="#1ABD76">1.11x</font> | <font color="#1ABD76">+0.1000</font> |

> 效率和准确率优于base：

`best`

`quick`
"""


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.csv"
    path.write_text(CSV)
    return str(path)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["leaderboard", *words])
    main()


def test_two_pages_and_a_short_summary(monkeypatch: pytest.MonkeyPatch, rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "out"
    run(monkeypatch, rows, "--baseline", "base", "--best-of", "base,fam-quick", "--out", str(out))
    told = capsys.readouterr().out
    assert "3 models, 2 benchmarks, 5 rows" in told
    assert "mbpp, against base: 1 better on both, 1 faster only, 0 more correct only, 0 neither" in told
    assert "mbpp, against the best of base and fam-quick: 0 better on both, 0 faster only, 1 more correct only, 0 neither" in told
    assert f"leaderboard: {out}/leaderboard.html" in told
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {
        "leaderboard.html",
        "leaderboard.md",
        "plots/1-mbpp.svg",
        "plots/2-humaneval.svg",
    }
    assert "### Better on both than the best of `base` and `fam-quick` and `base`" in (out / "leaderboard.md").read_text()


def test_a_document_brings_numbers_baselines_and_claims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "board.md").write_text(DOCUMENT, encoding="utf-8")
    run(monkeypatch, "--document", str(tmp_path / "board.md"), "--short", "=fam-", "--out", str(tmp_path / "out"))
    told = capsys.readouterr().out
    assert "mbpp, against base: 1 better on both, 1 faster only" in told
    assert f"1 claims of {tmp_path}/board.md that the numbers do not bear:" in told
    assert "board.md:16: 'quick' (fam-quick) is called faster than and more correct than 'base' on mbpp, but its Pass@1 is -0.1000" in told
    assert "line 16: 'quick' (fam-quick)" in (tmp_path / "out" / "leaderboard.md").read_text()
    assert "The document" in (tmp_path / "out" / "leaderboard.html").read_text()


def test_results_are_held_against_a_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "board.md").write_text(DOCUMENT, encoding="utf-8")
    (tmp_path / "rows.csv").write_text(CSV.replace("best,mbpp,90,0.3", "best,mbpp,90,0.31"))
    command = [str(tmp_path / "rows.csv"), "--document", str(tmp_path / "board.md"), "--out", str(tmp_path / "out")]
    run(monkeypatch, *command)
    assert "the Pass@1 of 'best' on mbpp is written 0.3000, the numbers have 0.3100" in capsys.readouterr().out
    # A document is results like any other file.
    run(monkeypatch, str(tmp_path / "board.md"), "--baseline", "best", "--out", str(tmp_path / "out"))
    assert "3 models, 1 benchmarks, 3 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (CSV, ["--baseline", "bse"], "no row is of the model 'bse' (did you mean 'base'?); the models are base, fam-quick, best"),
        (CSV, ["--best-of", "base,fam-quik"], "no row is of the model 'fam-quik' (did you mean 'fam-quick'?)"),
        (CSV, ["--best-of", ","], "--best-of names no model"),
        (CSV, [], "give what to hold the models against: --baseline NAME"),
        (CSV, ["--baseline", "base", "--short", "a=b"], "--short explains the names of a --document"),
        (CSV + "best,mbpp,1,0.5\n", ["--baseline", "base"], "rows.csv:7: 'best' is on 'mbpp' twice: here and at "),
        (
            CSV.replace("pass@1", "pass"),
            ["--baseline", "base"],
            "rows.csv:2: field 'pass@1' is missing; the fields are model, benchmark, avg_time, pass",
        ),
        (CSV.replace("100,0.2", "100,nan"), ["--baseline", "base"], "rows.csv:2: field 'pass@1' is nan"),
        (CSV.replace("100,0.2", "100,20"), ["--baseline", "base"], "rows.csv:2: 'base' on 'mbpp': pass@1 is 20, outside 0 to 1 (give a share"),
        (CSV.replace("100,0.2", "-100,0.2"), ["--baseline", "base"], "rows.csv:2: 'base' on 'mbpp': avg_time is -100 (a time is above 0)"),
        ("", ["--baseline", "base"], "rows.csv: holds no rows"),
    ],
)
def test_a_mistake_ends_in_one_line_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, words: list[str], said: str
) -> None:
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, str(tmp_path / "rows.csv"), *words, "--out", str(tmp_path / "out"))
    assert str(ended.value.code).startswith("error: ")
    assert said in str(ended.value.code)
    assert "\n" not in str(ended.value.code)
    assert not (tmp_path / "out").exists()


def test_nothing_given_and_a_place_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, rows: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="error: give results: files with a row a model and benchmark"):
        run(monkeypatch, "--baseline", "base", "--out", str(tmp_path / "out"))
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="error: .*cannot be written"):
        run(monkeypatch, rows, "--baseline", "base", "--out", str(tmp_path / "file" / "below"))


def test_without_matplotlib_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, rows: str, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit, match="error: matplotlib draws the pictures and is not installed"):
        run(monkeypatch, rows, "--baseline", "base", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
