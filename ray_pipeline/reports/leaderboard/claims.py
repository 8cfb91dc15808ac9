"""What a hand-made document says, held against the numbers: every claim that they do not bear becomes a finding.

Rules. A model said to be better must be strictly better; one said to be worse must not be better; level is within LEVEL of the
baseline. A list must hold every model that belongs on it, the baseline's own left out. A sentence that could not be read is a
finding too, since nobody has checked it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ray_pipeline.data.leaderboards.document import Document
from ray_pipeline.data.leaderboards.figures import Figure
from ray_pipeline.data.leaderboards.standing import Standing
from ray_pipeline.data.leaderboards.statements import THE_BASELINE, Statement, Verdict
from ray_pipeline.reports.leaderboard.against import Baseline, Reference, reference
from ray_pipeline.reports.leaderboard.board import Board, nearest
from ray_pipeline.reports.leaderboard.names import baseline_words
from ray_pipeline.reports.leaderboard.table_claims import figures_not_borne

Kind = Literal["unknown name", "no row", "not so", "missing", "figure", "mark", "unread"]
LEVEL: Final = 0.01


@dataclass(frozen=True)
class Finding:
    """A claim at a line of the document that the numbers do not bear; `model` as the document or, if it is missing there, the board has it."""

    line: int
    kind: Kind
    benchmark: str
    model: str
    text: str


def findings(document: Document, board: Board) -> list[Finding]:
    """All that the document says and the numbers do not, in its order."""
    found = [Finding(line, kind, benchmark, model, text) for line, kind, benchmark, model, text in figures_not_borne(document, board)]
    for statement in document.statements:
        found += _statement(statement, document, board)
    found += [
        Finding(line, "unread", "", "", f"this sentence about models could not be read, so it is not checked: {text}")
        for line, text in document.unread
    ]
    return sorted(found, key=lambda one: one.line)


def _statement(said: Statement, document: Document, board: Board) -> Iterator[Finding]:
    known = document.models | set(board.models)
    meant = {name: document.short.full(name, known) for name in said.names}
    for name in (name for name, full in meant.items() if full is None):
        yield Finding(
            said.line, "unknown name", ", ".join(said.benchmarks), name, f"{name!r} is the name of no model here{nearest(name, sorted(known))}"
        )
    models = {name: full for name, full in meant.items() if full is not None}
    for benchmark in said.benchmarks or tuple(board.benchmarks):
        standings = board.benchmarks.get(benchmark, {})
        for name, model in models.items():
            if model not in standings:
                yield Finding(said.line, "no row", benchmark, name, f"{_named(name, model)} is spoken of on {benchmark} and has no row there")
        for word in said.references:
            baseline = _baseline(word, benchmark, document)
            against = reference(baseline, standings) if baseline else None
            if against is None:
                told = "the baseline that is meant has no row there, so nothing of it can be checked"
                yield Finding(said.line, "no row", benchmark, word, f"on {benchmark}: {told}")
                continue
            for name, model in models.items():
                if model in standings and (wrong := _wrong(said, standings[model], against)):
                    told = f"{_named(name, model)} is called {_verdicts(said)} {baseline_words(against.baseline)} on {benchmark}, but {wrong}"
                    yield Finding(said.line, "not so", benchmark, name, told)
            for model in _missing(said, standings.values(), against, set(models.values())) if said.exhaustive else ():
                told = f"{model!r} is {_verdicts(said)} {baseline_words(against.baseline)} on {benchmark} and missing on this list"
                yield Finding(said.line, "missing", benchmark, model, told)


def _baseline(word: str, benchmark: str, document: Document) -> Baseline | None:
    if word != THE_BASELINE:
        return Baseline((word,))
    if document.best_of:
        return Baseline(document.best_of)
    tables = [table.baseline for section in document.sections if section.benchmark == benchmark for table in section.deltas]
    return Baseline(tables[0]) if tables else None


def _wrong(said: Statement, one: Standing, against: Reference) -> str:
    """What the numbers say instead, "" where they bear the statement."""
    parts = []
    if not _speed_borne(said.speed, one, against):
        parts.append(f"its avg_time is {one.avg_time - against.avg_time:+.2f} ({one.avg_time:.2f} against {against.avg_time:.2f})")
    gain = one.pass_at_1 - against.pass_at_1
    off = said.percent is not None and not Figure(said.percent).is_near(100 * gain)
    if off or not _pass_borne(said.correctness, one, against):
        parts.append(f"its Pass@1 is {gain:+.4f} ({one.pass_at_1:.4f} against {against.pass_at_1:.4f})")
    return " and ".join(parts)


def _missing(said: Statement, standings: Iterable[Standing], against: Reference, listed: set[str]) -> list[str]:
    others = [one for one in standings if one.model not in listed and one.model not in against.baseline.models]
    return [one.model for one in others if _speed_borne(said.speed, one, against) and _pass_borne(said.correctness, one, against)]


def _speed_borne(verdict: Verdict | None, one: Standing, against: Reference) -> bool:
    return _borne(verdict, against.avg_time, one.avg_time)


def _pass_borne(verdict: Verdict | None, one: Standing, against: Reference) -> bool:
    return _borne(verdict, one.pass_at_1, against.pass_at_1)


def _borne(verdict: Verdict | None, good: float, other: float) -> bool:
    """Whether the verdict on `good`, a figure that is better the higher it is, holds against `other`."""
    if verdict == "level":
        return abs(good - other) <= LEVEL * other
    return verdict is None or (good > other) == (verdict == "better")


def _verdicts(said: Statement) -> str:
    speed = {"better": "faster than", "worse": "no faster than", "level": "as fast as", None: ""}[said.speed]
    correct = {"better": "more correct than", "worse": "no more correct than", "level": "as correct as", None: ""}[said.correctness]
    points = f" (by {said.percent}%)" if said.percent is not None else ""
    return " and ".join(part for part in (speed, correct + points if correct else "") if part)


def _named(name: str, model: str) -> str:
    return repr(name) if name == model else f"{name!r} ({model})"
