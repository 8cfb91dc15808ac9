"""The tables of a hand-made leaderboard: figures with a medal before them or a colour around them, in Markdown pipe tables.

Two kinds are known by their headers, in any order and with other words beside them: a main table has columns with `Model`,
`avg_time` and `Pass@1`, a table against a baseline also one with `Speedup`. Any other table is passed over.

Trap. A figure is kept as the decimal that was written: how far two may differ is counted in units of its last digit.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ray_pipeline.errors import DataError

MEDALS: Final = "🥇🥈🥉"
_FIGURE = re.compile(rf'([{MEDALS}])?(?:<font color="(#[0-9A-Fa-f]{{6}})">)?([+-]?\d+(?:\.\d+)?)x?(?:</font>)?')
_BAR = re.compile(r"(?<!\\)\|")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_COLUMNS: Final = ("model", "avg_time", "speedup", "pass@1")


@dataclass(frozen=True)
class Figure:
    """A number as it was written, its medal (1 to 3, 0 for none) and its colour."""

    value: Decimal
    medal: int = 0
    colour: str | None = None

    @property
    def unit(self) -> Decimal:
        """One in the last digit."""
        return Decimal(1).scaleb(int(self.value.as_tuple().exponent))

    def is_near(self, value: float) -> bool:
        """Whether `value`, rounded as this figure is, lies within one in the last digit."""
        return abs(Decimal(value).quantize(self.unit) - self.value) <= self.unit


@dataclass(frozen=True)
class FigureRow:
    """A row of either kind of table; `speedup` is None in a main table."""

    line: int
    model: str
    avg_time: Figure
    pass_at_1: Figure
    speedup: Figure | None


def figure_rows(lines: Sequence[tuple[int, str]], path: str) -> list[FigureRow] | None:
    """The rows of a pipe table, None for a table of another kind."""
    names = [_column(text) for text in cells(lines[0][1])]
    if not {"model", "avg_time", "pass@1"} <= set(names):
        return None
    at = {name: names.index(name) for name in names if name}
    rows = []
    for number, line in lines[2:]:
        found = cells(line)
        if len(found) != len(names):
            raise DataError.at(path, number, f"the row has {len(found)} cells, its header {len(names)}", "give every column one cell")
        figures = {name: _figure(found[place], name, path, number) for name, place in at.items() if name != "model"}
        model = plain(found[at["model"]])
        rows.append(FigureRow(number, model, figures["avg_time"], figures["pass@1"], figures.get("speedup")))
    return rows


def cells(line: str) -> list[str]:
    """The cells of a row, as they are written."""
    return [text.strip() for text in _BAR.split(line.strip().removeprefix("|").removesuffix("|"))]


def plain(text: str) -> str:
    """Text without Markdown's backslashes and HTML's entities."""
    return html.unescape(_ESCAPED.sub(r"\1", text))


def _column(header: str) -> str:
    """Which column a header's cell names; an interval of a figure is not the figure."""
    words = header.lower()
    return "" if "interval" in words else next((name for name in _COLUMNS if name in words), "")


def _figure(text: str, column: str, path: str, line: int) -> Figure:
    found = _FIGURE.fullmatch(text)
    if not found:
        remedy = 'write a number, with a medal before it or <font color="#RRGGBB"> around it; a damaged file must be saved as UTF-8 first'
        raise DataError.at(path, line, f"the {column} {text!r} is no figure", remedy)
    medal, colour, number = found.groups()
    return Figure(Decimal(number), MEDALS.index(medal) + 1 if medal else 0, colour.upper() if colour else None)
