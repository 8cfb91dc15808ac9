"""A leaderboard as Markdown: the tables as people write them by hand, medals before a figure and a colour around it.

Rules. A name is shown and never obeyed: what Markdown or HTML would read in it is escaped. Colour is never the only sign: a
difference has its sign, and the worst values are named below their table. The main tables can be read again
(`data.leaderboards.document`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ray_pipeline.data.leaderboards.figures import MEDALS
from ray_pipeline.reports.leaderboard.against import COLOURS, Difference, Side
from ray_pipeline.reports.leaderboard.content import (
    BIAS,
    INTERVALS,
    NO_INTERVALS,
    RULES,
    Held,
    Leaderboard,
    Part,
    Summary,
    apart_words,
    further_columns,
    signed,
)
from ray_pipeline.reports.leaderboard.lists import LISTS
from ray_pipeline.reports.leaderboard.names import baseline_words, listed
from ray_pipeline.reports.leaderboard.plot import caption_words, plot_words
from ray_pipeline.reports.leaderboard.ranks import WORST
from ray_pipeline.reports.leaderboard.summary import Group, groups
from ray_pipeline.reports.markdown import table

_SPECIAL: Final = re.compile(r"([\\`*_\[\]~$#])")


def to_markdown(found: Leaderboard, plots: Mapping[str, str]) -> str:
    """The page; `plots` are the addresses of the benchmarks' pictures."""
    return "\n\n".join(_blocks(found, plots)) + "\n"


def escaped(text: str) -> str:
    """A name as plain text of a line."""
    entities = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", " ".join(entities.split()))


def code(text: str) -> str:
    """A name in backticks, more of them than it has itself."""
    line = " ".join(text.split())
    ticks = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def _blocks(found: Leaderboard, plots: Mapping[str, str]) -> Iterator[str]:
    yield "# Leaderboard"
    yield f"{len(found.board.models)} models, {len(found.board.benchmarks)} benchmarks, {found.board.rows} rows. {RULES}"
    yield f"**{BIAS}** {INTERVALS if found.knows_intervals else NO_INTERVALS}"
    for part in found.parts:
        yield f"## {escaped(part.benchmark)}"
        yield _scores(part)
        yield _worst(part)
        yield f"![{escaped(plot_words(part))}]({plots[part.benchmark]})"
        yield caption_words(part, code)
        for baseline in part.without:
            yield f"{baseline_words(baseline, code)} has no row here, so nothing is held against it."
        for held in part.held:
            yield from _against(held)
    yield "## Summary"
    for summary in found.summaries:
        yield from _summary(summary, list(found.board.benchmarks))
    if found.better_than_all:
        yield f"### Better on both than {listed([baseline_words(one, code) for one in found.baselines])}"
        yield _points(found.better_than_all)
    if found.document:
        yield f"## What {code(found.document)} says and the numbers do not"
        yield "\n".join(f"- line {one.line}: {escaped(one.text)}" for one in found.findings) or "Nothing: the numbers bear all of it."


def _scores(part: Part) -> str:
    further = further_columns(part)
    rows = []
    for row in part.rows:
        time = _marked(f"{row.standing.avg_time:.{part.time_digits}f}", row.time_mark)
        cells = [escaped(row.standing.model), time, _marked(f"{row.standing.pass_at_1:.4f}", row.pass_mark)]
        rows.append([*cells, *(shown(row) for _, shown in further)])
    return table(["Model", "avg_time", "Pass@1", *(name for name, _ in further)], rows)


def _worst(part: Part) -> str:
    columns = {"avg_time": [row for row in part.rows if row.time_mark == WORST], "Pass@1": [row for row in part.rows if row.pass_mark == WORST]}
    told = [f"{name} {listed([code(row.standing.model) for row in rows])}" for name, rows in columns.items() if rows]
    return f"Worst, in red: {'; '.join(told)}." if told else "With so few values none is marked as the worst."


def _against(held: Held) -> Iterator[str]:
    against = held.reference
    yield f"### Against {baseline_words(against.baseline, code)}"
    values = f"avg_time: {against.avg_time:.{against.time_digits}f}, Pass@1: {against.pass_at_1:.4f}"
    yield f"> **Baseline: {{ {values} }}**"
    if not against.baseline.is_a_model:
        yield f"The time is that of {code(against.fastest.model)}, the Pass@1 that of {code(against.most_correct.model)}."
    if against.absent:
        yield f"Without a row here, so not in the baseline: {listed([code(model) for model in against.absent])}."
    listing = [f"- {name} ({len(held.lists[name])}): {', '.join(map(code, held.lists[name])) or 'none'}" for name in LISTS]
    yield "\n".join(listing)
    knows = any(one.intervals_apart is not None for one in held.differences)
    header = ["Model", "avg_time", "Speedup", "Pass@1", *(["Pass@1 intervals"] if knows else [])]
    yield table(header, [[*_difference(one), *([apart_words(one)] if knows else [])] for one in held.differences])


def _difference(one: Difference) -> list[str]:
    return [
        escaped(one.standing.model),
        _coloured(signed(one.avg_time, one.time_digits), one.avg_time_side),
        _coloured(f"{one.speedup:.2f}x", one.speedup_side),
        _coloured(signed(one.pass_at_1, 4), one.pass_at_1_side),
    ]


def _summary(summary: Summary, benchmarks: list[str]) -> Iterator[str]:
    yield f"### Over all benchmarks against {baseline_words(summary.baseline, code)}"
    for name in LISTS[:3]:
        if found := groups(summary.records, name):
            yield f"{name[0].upper()}{name[1:]}:"
            yield _points(found)
    rows = [[escaped(one.model), *(one.lists.get(benchmark, "") for benchmark in benchmarks)] for one in summary.records]
    yield table(["Model", *map(escaped, benchmarks)], rows)


def _points(found: Sequence[Group]) -> str:
    return "\n".join(f"- on {listed([code(name) for name in one.benchmarks])}: {', '.join(map(code, one.models))}" for one in found)


def _marked(text: str, mark: int) -> str:
    return _coloured(text, "worse") if mark == WORST else f"{MEDALS[mark - 1]}{text}" if mark else text


def _coloured(text: str, side: Side | None) -> str:
    return text if side is None else f'<font color="{COLOURS[side]}">{text}</font>'
