"""A hand-made Markdown document of a leaderboard: its figures, and all that it says about them.

Rules. A heading of level 2 above a main table names a benchmark; other sections of that level speak of all benchmarks. In a
benchmark's section a heading with names in backticks says what the next table with a speedup column is held against. Quoted
lines, points and paragraphs are sentences (`statements`); a line that is nothing but a name in backticks is on the list of the
sentence above it. What comes before the first section of a benchmark defines words: 基准指的是 is followed by the set whose best
is the baseline.

Trap. A sentence that names models and that cannot be read is kept in `unread`, so that nobody takes it for checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ray_pipeline.data.files import byte_lines_with_ends, decoded
from ray_pipeline.data.leaderboards.figures import Figure, FigureRow, figure_rows, plain
from ray_pipeline.data.leaderboards.short_names import USUAL_SHORT_NAMES, ShortNames
from ray_pipeline.data.leaderboards.standing import Standing
from ray_pipeline.data.leaderboards.statements import Statement, Words, statements_of
from ray_pipeline.errors import DataError

_HEADING = re.compile(r"(#{1,6})\s+(.*?)(?:\s+#+)?")
_BACKTICKS = re.compile(r"`([^`]+)`")
_ITEM = re.compile(r"(?:[-*+]\s+)?`([^`]+)`")
_VALUES = re.compile(r"avg_time\)?:\s*([0-9.]+)\s*,\s*Pass@1:\s*([0-9.]+)")
_SET = re.compile(r"基准[^A-Za-z0-9]*是\s*((?:[A-Za-z0-9._-]+[\s、,，]+)+)")


@dataclass(frozen=True)
class DeltaTable:
    """A table against a baseline: a model, or the best of several; `values` are the baseline's figures where they are written."""

    line: int
    baseline: tuple[str, ...]
    rows: tuple[FigureRow, ...]
    values: tuple[Figure, Figure] | None


@dataclass(frozen=True)
class Section:
    """A benchmark: its main table, and those against baselines."""

    benchmark: str
    rows: tuple[FigureRow, ...]
    deltas: tuple[DeltaTable, ...]


@dataclass(frozen=True)
class Document:
    path: str
    sections: tuple[Section, ...]
    best_of: tuple[str, ...]
    statements: tuple[Statement, ...]
    unread: tuple[tuple[int, str], ...]
    short: ShortNames

    @property
    def models(self) -> frozenset[str]:
        return frozenset(row.model for section in self.sections for row in section.rows)

    @property
    def baselines(self) -> tuple[tuple[str, ...], ...]:
        """What its tables are held against, in order: sets of models, the best of which counts."""
        tables = [table.baseline for section in self.sections for table in section.deltas]
        return tuple(dict.fromkeys([*([self.best_of] if self.best_of else []), *tables]))

    def standings(self) -> list[Standing]:
        """The rows of the main tables."""
        return [
            Standing(section.benchmark, row.model, float(row.avg_time.value), float(row.pass_at_1.value), f"{self.path}:{row.line}")
            for section in self.sections
            for row in section.rows
        ]


@dataclass
class _Part:
    """What stands under a heading of level 2."""

    title: str
    tables: list[DeltaTable] = field(default_factory=list)  # the main one too, against nothing
    sentences: list[tuple[int, str, list[str]]] = field(default_factory=list)

    @property
    def main(self) -> list[FigureRow]:
        return [row for table in self.tables for row in table.rows if row.speedup is None]

    def section(self) -> Section:
        return Section(self.title, tuple(self.main), tuple(table for table in self.tables if table.rows[0].speedup is not None))


def read_document(path: str, rules: Sequence[str] = USUAL_SHORT_NAMES) -> Document:
    """The document at `path`; `rules` say what its short names are short for."""
    lines = [(number, decoded(line, path, number).rstrip("\r\n")) for number, line in byte_lines_with_ends(path)]
    parts = list(_parts(lines, path))
    sections = tuple(part.section() for part in parts if part.main)
    if not sections:
        raise DataError(f"{path}: no table with the columns Model, avg_time and Pass@1 stands under a heading `## benchmark`; give one a benchmark")
    first = next(at for at, part in enumerate(parts) if part.main)
    found = Document(path, sections, _best_of(parts[:first]), (), (), ShortNames.of(rules))
    words = Words(_benchmark_words(sections), found.models, found.short, _reference_words(found))
    statements: list[Statement] = []
    unread: list[tuple[int, str]] = []
    for part in parts[first:]:
        for line, text, items in part.sentences:
            read = statements_of(line, text, part.title if part.main else None, words)
            if read and not any(one.names for one in read) and (items or read[-1].divides):
                read[-1] = replace(read[-1], names=tuple(items), exhaustive="level" not in (read[-1].speed, read[-1].correctness))
            elif items or (not read and words.name_a_model(text)):
                unread.append((line, text))
            statements += read
    return replace(found, statements=tuple(statements), unread=tuple(unread))


def _parts(lines: Sequence[tuple[int, str]], path: str) -> Iterator[_Part]:
    part, against, values = _Part(""), tuple[str, ...](), None
    table: list[tuple[int, str]] = []
    for number, raw in [*lines, (len(lines) + 1, "")]:
        line = raw.strip()
        if line.startswith("|"):
            table.append((number, line))
            continue
        if len(table) > 2 and (rows := figure_rows(table, path)):
            if rows[0].speedup is not None and not against:
                remedy = "put the baseline's name in backticks into the heading above it"
                raise DataError.at(path, table[0][0], "the table does not say which baseline it is held against", remedy)
            part.tables.append(DeltaTable(table[0][0], against, tuple(rows), values))
        table = []
        heading = _HEADING.fullmatch(line)
        if heading and len(heading[1]) <= 2:
            yield part
            part, against, values = _Part(plain(heading[2])), (), None
        elif heading:
            against, values = tuple(_BACKTICKS.findall(heading[2])), None
        elif item := _ITEM.fullmatch(line):
            if part.sentences:
                part.sentences[-1][2].append(item[1].strip())
        elif written := _VALUES.search(line):
            values = (Figure(Decimal(written[1])), Figure(Decimal(written[2])))
        elif line:
            part.sentences.append((number, line.removeprefix(">").strip(), []))
    yield part


def _best_of(introduction: Sequence[_Part]) -> tuple[str, ...]:
    texts = [text for part in introduction for _, text, _ in part.sentences]
    found = next((match for text in texts if (match := _SET.search(text))), None)
    return tuple(re.split(r"[\s、,，]+", found[1].strip(" 、,，\t"))) if found else ()


def _benchmark_words(sections: Sequence[Section]) -> dict[str, str]:
    """Each benchmark by its name, and `mbppplus` as `mbpp+` too."""
    words = {section.benchmark.lower(): section.benchmark for section in sections}
    return words | {f"{word.removesuffix('plus')}+": name for word, name in words.items() if word.endswith("plus")}


def _reference_words(document: Document) -> dict[str, str]:
    models = [names[0] for names in document.baselines if len(names) == 1]
    return {word.lower(): model for model in models for word in document.short.words_for(model)}
