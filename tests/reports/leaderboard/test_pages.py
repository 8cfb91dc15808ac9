"""The Markdown and HTML pages: by hand, readable again, and safe with any name."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.data.leaderboards.document import read_document
from ray_pipeline.data.leaderboards.figures import figure_rows
from ray_pipeline.data.leaderboards.standing import Range, Standing
from ray_pipeline.reports.leaderboard.against import Baseline
from ray_pipeline.reports.leaderboard.board import board_of
from ray_pipeline.reports.leaderboard.content import Leaderboard, leaderboard
from ray_pipeline.reports.leaderboard.files import write_leaderboard
from ray_pipeline.reports.leaderboard.html_pieces import Html, element, joined
from ray_pipeline.reports.leaderboard.markdown import code, escaped, to_markdown
from ray_pipeline.reports.leaderboard.plot import caption_words, drawn, without_far
from ray_pipeline.reports.leaderboard.svg import alone, on_a_page
from ray_pipeline.storage import Location

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> $\\frac{1}{2}$ `x` [a](javascript:b) | *b* &amp; </svg>\x07"
ROWS = [
    Standing("mbpp", "base", 2.0, 0.5, "here:1", Range(0.4, 0.6), 100, 10, 1.0, Range(0.9, 1.1)),
    Standing("mbpp", "quick", 1.0, 0.4, "here:2", Range(0.3, 0.5), 100, 10, 1.9, Range(1.5, 2.5)),
    Standing("mbpp", "right", 3.0, 0.9, "here:3", Range(0.8, 0.95), 100, 10),
    Standing("mbpp", "poor", 4.0, 0.1, "here:4"),
]


class Parsed(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def pages(found: Leaderboard, folder: Path) -> tuple[str, str]:
    page, markdown = write_leaderboard(found, Location.of(str(folder)))
    return page.read().decode(), markdown.read().decode()


def test_markdown_by_hand(tmp_path: Path) -> None:
    _, text = pages(leaderboard(board_of(ROWS), [Baseline(("base",)), Baseline(("base", "quick"))]), tmp_path)
    assert "4 models, 1 benchmarks, 4 rows." in text
    assert "one that solves only the easy ones looks faster than it is.**" in text
    assert (
        "| Model | avg_time | Pass@1 | 95% interval of Pass@1 | problems | samples a problem | speed ratio | 95% interval of the ratio |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| base | 🥈2.000 | 🥈0.5000 | 0.4000 to 0.6000 | 100 | 10 | 1.00x | 0.90 to 1.10 |\n"
        "| quick | 🥇1.000 | 🥉0.4000 | 0.3000 to 0.5000 | 100 | 10 | 1.90x | 1.50 to 2.50 |\n"
        "| right | 🥉3.000 | 🥇0.9000 | 0.8000 to 0.9500 | 100 | 10 |  |  |\n"
        '| poor | <font color="#E33D30">4.000</font> | <font color="#E33D30">0.1000</font> |  |  |  |  |  |\n'
    ) in text
    assert "Worst, in red: avg_time `poor`; Pass@1 `poor`." in text
    assert "### Against `base`\n\n> **Baseline: { avg_time: 2.000, Pass@1: 0.5000 }**" in text
    assert "- better on both (0): none\n- faster only (1): `quick`\n- more correct only (1): `right`\n- neither (1): `poor`" in text
    better, worse = '<font color="#1ABD76">', '<font color="#E33D30">'
    assert f"| quick | {better}-1.000</font> | {better}2.00x</font> | {worse}-0.1000</font> | overlap |" in text
    assert f"| right | {worse}+1.000</font> | {worse}0.67x</font> | {better}+0.4000</font> | apart |" in text
    assert "### Against the best of `base` and `quick`" in text
    assert "The time is that of `quick`, the Pass@1 that of `base`." in text
    assert "On the front, from the fastest: 1 `quick` (2.000x, 0.4000), 2 `base` (1.000x, 0.5000), 3 `right` (0.667x, 0.9000)." in text
    assert "Crosses: B1 `base`; B2 the best of `base` and `quick`." in text
    assert "![Speed (as a multiple of that of base) against Pass@1 of 4 models on mbpp." in text
    assert (tmp_path / "plots" / "1-mbpp.svg").exists()


def test_the_html_page_says_the_same_and_needs_nothing(tmp_path: Path) -> None:
    text, _ = pages(leaderboard(board_of(ROWS), [Baseline(("base",))]), tmp_path)
    page = Parsed(text)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not [value for name, value in page.attributes if name in ("src", "href", "xlink:href") and not value.startswith("#")]
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    pointed = [value.removeprefix("#") for name, value in page.attributes if name in ("href", "xlink:href", "aria-labelledby")]
    pointed += re.findall(r"url\(#([^)]+)\)", text)
    assert set(pointed) <= set(ids)
    assert '<span role="img" aria-label="first">🥇</span> 1.000' in text
    assert '<td class="worse"><small>worst</small> 4.000</td>' in text
    assert '<td class="better"><span role="img" aria-label="better">✓</span> -1.000</td>' in text
    assert text.count("<table>") == text.count("<caption>")
    assert page.tags.count("svg") == text.count('role="img" style=') == 1
    assert "speed, as a multiple of the first baseline's: right is faster" in page.text  # text that can be read aloud


def test_a_hostile_name_is_only_shown(tmp_path: Path) -> None:
    rows = [Standing(HOSTILE, name, time, 0.5, "here") for name, time in ((HOSTILE, 1.0), ("../../b", 2.0), ("__proto__", 3.0))]
    html, markdown = pages(leaderboard(board_of(rows), [Baseline((HOSTILE,)), Baseline((HOSTILE, "../../b"))]), tmp_path)
    page = Parsed(html)
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.tags.count("svg") == 1
    assert "<script>alert(1)</script>" in page.text
    outside_code = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown)
    assert "<script" not in outside_code
    assert not re.search(r"(?<!\\)\]\(javascript", outside_code)
    assert "\\[a\\](javascript:b)" in outside_code
    (picture,) = (tmp_path / "plots").iterdir()
    assert re.fullmatch(r"1-script-alert-1-script-img-src-x[a-z0-9-]{1,40}\.svg", picture.name)
    root = ElementTree.parse(picture).getroot()
    assert "<script>alert(1)</script>" in str(root[1].text)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(lambda text: " ".join(text.split())).filter(bool)


@settings(max_examples=150, deadline=None)
@given(name=NAMES)
def test_any_name_comes_back_from_a_table_of_markdown(name: str) -> None:
    table = ["| Model | avg_time | Pass@1 |", "| --- | --- | --- |", f"| {escaped(name).replace('|', chr(92) + '|')} | 1 | 0.5 |"]
    found = figure_rows(list(enumerate(table, start=1)), "x")
    assert found is not None
    assert found[0].model == name
    assert "<" not in escaped(name)


def test_our_own_page_is_a_document_that_can_be_read(tmp_path: Path) -> None:
    names = ["a|b_c", "*x* <b>", "C#"]
    rows = [Standing(bench, name, 100.0 + at, 0.1 * at, "here") for bench in ("mbpp+", "# odd #") for at, name in enumerate(names)]
    found = leaderboard(board_of(rows), [Baseline((names[0],))])
    (tmp_path / "board.md").write_text(to_markdown(found, dict.fromkeys(found.board.benchmarks, "x.svg")), encoding="utf-8")
    read = read_document(str(tmp_path / "board.md"), [])
    assert [(one.benchmark, one.model, one.avg_time, one.pass_at_1) for one in read.standings()] == [
        (one.benchmark, one.model, one.avg_time, round(one.pass_at_1, 4)) for one in rows
    ]
    assert [row.model for row in read.sections[0].deltas[0].rows] == names[1:]


def test_code_spans_outgrow_the_backticks_inside() -> None:
    assert [code(text) for text in ("a", "a`b", "`a", "a\n b")] == ["`a`", "``a`b``", "`` `a ``", "`a b`"]


def test_html_pieces_escape_what_is_no_html() -> None:
    assert element("p", "a<b", Html("<i>c</i>"), class_="x", aria_label='"') == '<p class="x" aria-label="&quot;">a&lt;b<i>c</i></p>'
    assert joined("&", Html("&amp;")) == "&amp;&amp;"


def test_far_off_values_get_a_second_panel() -> None:
    rows = [Standing("b", f"m{at}", 100.0 + at, 0.1 + 0.01 * at, "here") for at in range(6)] + [Standing("b", "solutions", 101.5, 1.0, "here")]
    (part,) = leaderboard(board_of(rows), [Baseline(("m0",))]).parts
    assert [one.model for one in without_far(part)] == [f"m{at}" for at in range(6)]
    assert "On the front, from the fastest: 1 `m0`" in caption_words(part, code)
    assert "Without far-off values: 1 `m0`" in caption_words(part, code)
    assert b"without far-off values" in drawn(part)
    (near,) = leaderboard(board_of(rows[:-1]), [Baseline(("m0",))]).parts
    assert without_far(near) == []


def test_a_picture_is_the_same_each_time_and_stands_alone() -> None:
    (part,) = leaderboard(board_of(ROWS), [Baseline(("base",))]).parts
    picture = drawn(part)
    assert picture == drawn(part)
    text = alone(picture, "words").decode()
    assert "prefers-color-scheme:dark" in text
    assert "currentColor" in text
    assert "#010203" not in text
    assert "<metadata" not in text
    assert 'aria-labelledby="p-title"' in on_a_page(picture, "p", "words")


def test_a_benchmark_without_the_baseline_says_so(tmp_path: Path) -> None:
    rows = [*ROWS, Standing("other", "quick", 1.0, 0.4, "here"), Standing("other", "right", 2.0, 0.5, "here")]
    html, markdown = pages(leaderboard(board_of(rows), [Baseline(("base",)), Baseline(("base", "quick"))]), tmp_path)
    assert "`base` has no row here, so nothing is held against it." in markdown
    assert "Without a row here, so not in the baseline: `base`." in markdown
    assert "has no row here, so nothing is held against it." in html


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_models_are_drawn_too(count: int, tmp_path: Path) -> None:
    _, markdown = pages(leaderboard(board_of(ROWS[:count]), [Baseline(("base",))]), tmp_path)
    assert "With so few values none is marked as the worst." in markdown
