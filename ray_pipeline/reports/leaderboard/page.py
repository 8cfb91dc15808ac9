"""A leaderboard as one HTML file that needs nothing else: no script, no address, light and dark, for screens, paper and ears.

Rules. Colour is never the only sign: medals, the worst, better and worse are glyphs with words behind them. Text keeps the page's own
colour, since the tables' green is too light to read on white: the colours are a bar and a tint of the cell. A policy in the page
forbids it to fetch or run anything, so a hostile name could do nothing even if it came through unescaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ray_pipeline.data.leaderboards.figures import MEDALS
from ray_pipeline.reports.leaderboard.against import Difference, Side
from ray_pipeline.reports.leaderboard.content import (
    BIAS,
    INTERVALS,
    NO_INTERVALS,
    RULES,
    Held,
    Leaderboard,
    Part,
    ScoreRow,
    Summary,
    apart_words,
    further_columns,
    signed,
)
from ray_pipeline.reports.leaderboard.html_pieces import Html, element, joined
from ray_pipeline.reports.leaderboard.lists import LISTS
from ray_pipeline.reports.leaderboard.names import baseline_words, listed
from ray_pipeline.reports.leaderboard.page_style import STYLE
from ray_pipeline.reports.leaderboard.plot import caption_words
from ray_pipeline.reports.leaderboard.ranks import WORST
from ray_pipeline.reports.leaderboard.summary import Group, groups

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_PLACES: Final = {1: "first", 2: "second", 3: "third"}
_SIDES: Final[dict[Side, str]] = {"better": "✓", "worse": "✗"}


def to_html(found: Leaderboard, pictures: Mapping[str, str]) -> str:
    """The page; `pictures` are the benchmarks' SVG elements."""
    numbered = [(f"benchmark-{number}", part) for number, part in enumerate(found.parts, start=1)]
    sections = [_benchmark(key, part, pictures[part.benchmark]) for key, part in numbered]
    links = (
        [("#" + key, part.benchmark) for key, part in numbered]
        + [("#summary", "Summary")]
        + ([("#document", "The document")] if found.document else [])
    )
    head = joined(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        element("title", "Leaderboard"),
        element("style", Html(STYLE)),
    )
    counted = f"{len(found.board.models)} models, {len(found.board.benchmarks)} benchmarks, {found.board.rows} rows."
    header = element(
        "header",
        element("h1", "Leaderboard"),
        element("p", f"{counted} {RULES}"),
        element("p", element("strong", BIAS), " ", INTERVALS if found.knows_intervals else NO_INTERVALS),
        element("nav", element("ul", *(element("li", element("a", name, href=address)) for address, name in links)), aria_label="Parts of this page"),
    )
    body = element("body", header, element("main", *sections, _summaries(found), *_document(found)))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n{body}</html>\n'


def _benchmark(key: str, part: Part, picture: str) -> Html:
    further = further_columns(part)
    rows = [_score_row(row, part, [shown(row) for _, shown in further]) for row in part.rows]
    caption = f"Pass@1 and avg_time on {part.benchmark}"
    blocks = [_table(caption, ["Model", "avg_time", "Pass@1", *(name for name, _ in further)], rows)]
    blocks.append(element("figure", Html(picture), element("figcaption", Html(caption_words(part, _name)))))
    blocks += [element("p", _baseline(one.models), " has no row here, so nothing is held against it.") for one in part.without]
    for held in part.held:
        blocks += _against(held, part)
    return element("section", element("h2", part.benchmark, id=key), *blocks, aria_labelledby=key)


def _score_row(row: ScoreRow, part: Part, further: Sequence[str]) -> Html:
    one = row.standing
    time = _marked(f"{one.avg_time:.{part.time_digits}f}", row.time_mark)
    return _row(one.model, [time, _marked(f"{one.pass_at_1:.4f}", row.pass_mark), *(element("td", text) for text in further)])


def _against(held: Held, part: Part) -> Iterator[Html]:
    against = held.reference
    words = _baseline(against.baseline.models)
    yield element("h3", "Against ", words)
    values = f"Baseline: avg_time {against.avg_time:.{against.time_digits}f}, Pass@1 {against.pass_at_1:.4f}."
    if not against.baseline.is_a_model:
        whose = joined(" The time is that of ", _name(against.fastest.model), ", the Pass@1 that of ", _name(against.most_correct.model), ".")
        values = joined(values, whose)
    absent = Html(f" Without a row here, so not in the baseline: {listed([_name(model) for model in against.absent])}.") if against.absent else ""
    yield element("p", values, absent)
    listing = [(name, held.lists[name]) for name in LISTS]
    terms = [joined(element("dt", f"{name} ({len(models)})"), element("dd", _names(models))) for name, models in listing]
    yield element("dl", *terms)
    knows = any(one.intervals_apart is not None for one in held.differences)
    header = ["Model", "avg_time", "Speedup", "Pass@1", *(["Pass@1 intervals"] if knows else [])]
    rows = [_difference_row(one, [apart_words(one)] if knows else []) for one in held.differences]
    yield _table(f"Differences on {part.benchmark} from {baseline_words(against.baseline, str)}", header, rows)


def _difference_row(one: Difference, further: Sequence[str]) -> Html:
    cells = [_sided(signed(one.avg_time, one.time_digits), one.avg_time_side), _sided(f"{one.speedup:.2f}x", one.speedup_side)]
    return _row(one.standing.model, [*cells, _sided(signed(one.pass_at_1, 4), one.pass_at_1_side), *(element("td", text) for text in further)])


def _summaries(found: Leaderboard) -> Html:
    blocks = [block for summary in found.summaries for block in _summary(summary, list(found.board.benchmarks))]
    if found.better_than_all:
        names = listed([_baseline(one.models) for one in found.baselines])
        blocks += [element("h3", Html(f"Better on both than {names}")), _groups(found.better_than_all)]
    return element("section", element("h2", "Summary", id="summary"), *blocks, aria_labelledby="summary")


def _summary(summary: Summary, benchmarks: Sequence[str]) -> Iterator[Html]:
    yield element("h3", "Over all benchmarks against ", _baseline(summary.baseline.models))
    for name in LISTS[:3]:
        if found := groups(summary.records, name):
            yield element("p", f"{name[0].upper()}{name[1:]}:")
            yield _groups(found)
    rows = [_row(one.model, [element("td", one.lists.get(benchmark, "")) for benchmark in benchmarks]) for one in summary.records]
    yield _table(f"Lists against {baseline_words(summary.baseline, str)}", ["Model", *benchmarks], rows)


def _groups(found: Sequence[Group]) -> Html:
    return element("ul", *(element("li", f"on {listed(list(one.benchmarks))}: ", _names(one.models)) for one in found))


def _document(found: Leaderboard) -> Iterator[Html]:
    if found.document:
        told = [element("li", f"line {one.line}: {one.text}") for one in found.findings]
        heading = element("h2", "What ", element("code", found.document), " says and the numbers do not", id="document")
        yield element(
            "section", heading, element("ul", *told) if told else element("p", "Nothing: the numbers bear all of it."), aria_labelledby="document"
        )


def _table(caption: str, header: Sequence[str], rows: Sequence[Html]) -> Html:
    top = element("thead", element("tr", *(element("th", name, scope="col") for name in header)))
    whole = element("table", element("caption", caption), top, element("tbody", *rows))
    return element("div", whole, class_="wide", role="region", tabindex="0", aria_label=caption)


def _row(model: str, cells: Sequence[Html]) -> Html:
    return element("tr", element("th", element("bdi", model), scope="row"), *cells)


def _marked(text: str, mark: int) -> Html:
    if mark == WORST:
        return element("td", element("small", "worst"), " ", text, class_="worse")
    medal = [element("span", MEDALS[mark - 1], role="img", aria_label=_PLACES[mark]), " "] if mark else []
    return element("td", *medal, text)


def _sided(text: str, side: Side | None) -> Html:
    return element("td", text) if side is None else element("td", element("span", _SIDES[side], role="img", aria_label=side), " ", text, class_=side)


def _baseline(models: Sequence[str]) -> Html:
    names = [_name(model) for model in models]
    return names[0] if len(names) == 1 else Html(f"the best of {listed(list(names))}")


def _names(models: Sequence[str]) -> Html:
    return Html(", ".join(_name(model) for model in models)) if models else Html("none")


def _name(model: str) -> Html:
    return element("code", element("bdi", model))
