"""The tables of a hand-made document held against the numbers: figures, medals, colours, and rows that one side has not.

Rules. A figure may be one off in its last digit, since what it was made from was not rounded. A colour must be that of the figure
it is around: what is printed decides, as in our own tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from ray_pipeline.data.leaderboards.document import DeltaTable, Document, Section
from ray_pipeline.data.leaderboards.figures import Figure, FigureRow
from ray_pipeline.data.leaderboards.standing import Standing
from ray_pipeline.reports.leaderboard.against import COLOURS, Baseline, Difference, Reference, differences, reference
from ray_pipeline.reports.leaderboard.board import Board
from ray_pipeline.reports.leaderboard.ranks import WORST, marks

NotBorne = tuple[int, Literal["no row", "missing", "figure", "mark"], str, str, str]
"""Line, kind, benchmark, model, words."""


def figures_not_borne(document: Document, board: Board) -> Iterator[NotBorne]:
    """Every table of the document against the board."""
    for section in document.sections:
        standings = board.benchmarks.get(section.benchmark, {})
        yield from _main_table(section, standings)
        for table in section.deltas:
            against = reference(Baseline(table.baseline), standings)
            if against is None:
                told = f"the table is against {', '.join(table.baseline)}, which the numbers do not have on {section.benchmark}"
                yield table.line, "no row", section.benchmark, table.baseline[0], told
            else:
                yield from _delta_table(table, section, against, standings)


def _main_table(section: Section, standings: Mapping[str, Standing]) -> Iterator[NotBorne]:
    rows = list(standings.values())
    time_marks = dict(zip(standings, marks([one.avg_time for one in rows], higher_is_better=False), strict=True))
    pass_marks = dict(zip(standings, marks([one.pass_at_1 for one in rows], higher_is_better=True), strict=True))
    for row in section.rows:
        one = standings.get(row.model)
        if one is None:
            yield row.line, "no row", section.benchmark, row.model, f"{row.model!r} has a row on {section.benchmark} here and none in the numbers"
            continue
        for column, figure, value, mark in (
            ("avg_time", row.avg_time, one.avg_time, time_marks[row.model]),
            ("Pass@1", row.pass_at_1, one.pass_at_1, pass_marks[row.model]),
        ):
            yield from _figure(row, section, column, figure, value)
            if (figure.medal, figure.colour is not None) != (max(mark, 0), mark == WORST):
                told = f"the {column} of {row.model!r} should {_mark_words(mark)}"
                yield row.line, "mark", section.benchmark, row.model, told


def _delta_table(table: DeltaTable, section: Section, against: Reference, standings: Mapping[str, Standing]) -> Iterator[NotBorne]:
    ours = {one.standing.model: one for one in differences(standings, against)}
    for row in table.rows:
        if row.model in ours:
            yield from _delta_row(row, section, ours[row.model])
        else:
            yield row.line, "no row", section.benchmark, row.model, f"{row.model!r} has a difference on {section.benchmark} and no row in the numbers"
    for model in [row.model for row in section.rows if row.model in ours and row.model not in {row.model for row in table.rows}]:
        told = f"{model!r} has a row on {section.benchmark} and is missing in the table against {', '.join(table.baseline)}"
        yield table.line, "missing", section.benchmark, model, told
    for column, figure, value in zip(("avg_time", "Pass@1"), table.values or (), (against.avg_time, against.pass_at_1), strict=False):
        if not figure.is_near(value):
            told = f"the baseline's {column} is written {figure.value}, the numbers have {value:.4f}"
            yield table.line, "figure", section.benchmark, table.baseline[0], told


def _delta_row(row: FigureRow, section: Section, ours: Difference) -> Iterator[NotBorne]:
    yield from _figure(row, section, "difference of avg_time", row.avg_time, ours.avg_time)
    yield from _figure(row, section, "difference of Pass@1", row.pass_at_1, ours.pass_at_1)
    gains = [("difference of avg_time", row.avg_time, -row.avg_time.value), ("difference of Pass@1", row.pass_at_1, row.pass_at_1.value)]
    if row.speedup is not None:
        yield from _figure(row, section, "speedup", row.speedup, ours.speedup)
        gains.append(("speedup", row.speedup, row.speedup.value - 1))
    for column, figure, gain in gains:
        wanted = None if gain == 0 else COLOURS["better"] if gain > 0 else COLOURS["worse"]
        if figure.colour != wanted:
            told = f"the {column} of {row.model!r}, {figure.value}, should be {wanted or 'uncoloured'}, not {figure.colour or 'uncoloured'}"
            yield row.line, "mark", section.benchmark, row.model, told


def _figure(row: FigureRow, section: Section, column: str, figure: Figure, value: float) -> Iterator[NotBorne]:
    if not figure.is_near(value):
        told = f"the {column} of {row.model!r} on {section.benchmark} is written {figure.value}, the numbers have {value:.4f}"
        yield row.line, "figure", section.benchmark, row.model, told


def _mark_words(mark: int) -> str:
    return {0: "have no medal and no colour", WORST: "be in red: it is the worst"}.get(mark, f"have medal {mark}")
