"""What a leaderboard shows, decided once for both of its forms: rows with their marks, baselines, fronts, summaries, findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ray_pipeline.data.leaderboards.document import Document
from ray_pipeline.data.leaderboards.standing import Range, Standing
from ray_pipeline.reports.leaderboard.against import Baseline, Difference, Reference, differences, reference, time_digits
from ray_pipeline.reports.leaderboard.board import Board, pass_interval
from ray_pipeline.reports.leaderboard.claims import Finding, findings
from ray_pipeline.reports.leaderboard.front import front
from ray_pipeline.reports.leaderboard.lists import ListName, lists
from ray_pipeline.reports.leaderboard.ranks import marks
from ray_pipeline.reports.leaderboard.summary import Group, Record, better_than_all, records

BIAS: Final = (
    "avg_time averages over the problems that each model solved itself, so models are timed on different problems: "
    "one that solves only the easy ones looks faster than it is."
)
RULES: Final = (
    "Medals go to the three best values of a column (Pass@1 the higher, avg_time the lower), the worst value is marked. "
    "A difference is the model less the baseline, the speedup the baseline's time over the model's."
)
INTERVALS: Final = (
    "Intervals are 95%. One that the results do not bring is Wilson's over the problems. "
    "Intervals that overlap leave it open whether two models differ; a comparison problem by problem can tell more."
)
NO_INTERVALS: Final = "The results bring neither intervals nor the number of problems, so nothing here says which differences are chance."


@dataclass(frozen=True)
class ScoreRow:
    """A row of the main table: the marks are places of `ranks.marks`."""

    standing: Standing
    time_mark: int
    pass_mark: int
    interval: Range | None


@dataclass(frozen=True)
class Held:
    """A benchmark's rows against one baseline."""

    reference: Reference
    lists: Mapping[ListName, tuple[str, ...]]
    differences: Sequence[Difference]


@dataclass(frozen=True)
class Part:
    """One benchmark; `without` are the baselines that have no row there."""

    benchmark: str
    rows: Sequence[ScoreRow]
    held: Sequence[Held]
    without: Sequence[Baseline]
    front: Sequence[Standing]
    time_digits: int


@dataclass(frozen=True)
class Summary:
    """All benchmarks against one baseline."""

    baseline: Baseline
    records: Sequence[Record]


@dataclass(frozen=True)
class Leaderboard:
    board: Board
    baselines: Sequence[Baseline]
    parts: Sequence[Part]
    summaries: Sequence[Summary]
    better_than_all: Sequence[Group]
    document: str | None
    findings: Sequence[Finding]

    @property
    def knows_intervals(self) -> bool:
        return any(row.interval is not None for part in self.parts for row in part.rows)


def leaderboard(board: Board, baselines: Sequence[Baseline], document: Document | None = None) -> Leaderboard:
    """Everything on the pages; a baseline that no row is of is refused."""
    for baseline in baselines:
        baseline.check(board)
    parts = [_part(benchmark, standings, baselines) for benchmark, standings in board.benchmarks.items()]
    summaries = [Summary(baseline, records(board, baseline)) for baseline in baselines]
    shared = better_than_all(board, baselines) if len(baselines) > 1 else []
    told = findings(document, board) if document else []
    return Leaderboard(board, baselines, parts, summaries, shared, document.path if document else None, told)


def further_columns(part: Part) -> list[tuple[str, Callable[[ScoreRow], str]]]:
    """The columns beyond the three that every row has: those that some row fills."""
    known: list[tuple[str, Callable[[ScoreRow], str]]] = [
        ("95% interval of Pass@1", lambda row: _range(row.interval, 4)),
        ("problems", lambda row: _whole(row.standing.problems)),
        ("samples a problem", lambda row: _whole(row.standing.samples)),
        ("speed ratio", lambda row: "" if row.standing.speed_ratio is None else f"{row.standing.speed_ratio:.2f}x"),
        ("95% interval of the ratio", lambda row: _range(row.standing.speed_interval, 2)),
    ]
    return [(name, shown) for name, shown in known if any(shown(row) for row in part.rows)]


def signed(value: float, digits: int) -> str:
    """A difference with its sign; what rounds to 0 has none."""
    return f"{value:+.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"


def apart_words(one: Difference) -> str:
    """Whether the intervals of both Pass@1 are apart, in a word."""
    return "" if one.intervals_apart is None else "apart" if one.intervals_apart else "overlap"


def _part(benchmark: str, standings: Mapping[str, Standing], baselines: Sequence[Baseline]) -> Part:
    rows = list(standings.values())
    time_marks = marks([one.avg_time for one in rows], higher_is_better=False)
    pass_marks = marks([one.pass_at_1 for one in rows], higher_is_better=True)
    scores = [ScoreRow(one, time, correct, pass_interval(one)) for one, time, correct in zip(rows, time_marks, pass_marks, strict=True)]
    found = [(baseline, reference(baseline, standings)) for baseline in baselines]
    held = [Held(against, lists(standings, against), differences(standings, against)) for _, against in found if against is not None]
    without = [baseline for baseline, against in found if against is None]
    return Part(benchmark, scores, held, without, front(rows), time_digits(standings))


def _range(given: Range | None, digits: int) -> str:
    return "" if given is None else f"{given.low:.{digits}f} to {given.high:.{digits}f}"


def _whole(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
