"""What mining dropped and why: counts that add up, survivors a query, and examples to look at.

`candidates == sum(dropped.values()) + survivors`, always. The audit of two disjoint sets of queries is the sum of their
audits, exactly and in any order: counts and histograms add, and the examples kept are those of the queries whose id hash is
smallest, which is a random sample that does not depend on how the queries were cut into shards.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeVar

import pyarrow as pa

from ray_pipeline.retrieval.mining.filters import REASONS

EXAMPLES: Final = 5  # kept a reason
_TEXT_SHOWN: Final = 120
_Key = TypeVar("_Key", int, str)


@dataclass(frozen=True, order=True)
class Example:
    """One dropped candidate: the best ranked of its query that this reason dropped."""

    key: int  # hash of the query's id: examples with the smallest are kept
    query_id: str
    doc: int
    rank: int
    score: float
    positive_score: float | None  # the lowest of the query's positives; None where they were not scored


@dataclass(frozen=True, order=True)
class ShortQuery:
    """A query that got fewer negatives than were asked for."""

    taken: int
    key: int
    query_id: str


@dataclass(frozen=True)
class Audit:
    negatives: int  # asked for a query
    candidates: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    dropped_of_short: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))  # of the queries left short
    survivors: dict[int, int] = field(default_factory=dict)  # how many candidates survived -> how many queries
    taken: dict[int, int] = field(default_factory=dict)  # how many negatives were taken -> how many queries
    widened: int = 0  # queries that had to look beyond the range
    examples: dict[str, tuple[Example, ...]] = field(default_factory=dict)
    shortest: tuple[ShortQuery, ...] = ()

    @property
    def queries(self) -> int:
        return sum(self.taken.values())

    @property
    def short(self) -> int:
        """Queries with fewer negatives than asked for."""
        return sum(count for taken, count in self.taken.items() if taken < self.negatives)

    @property
    def missing(self) -> int:
        """Negatives asked for and not found, over all queries."""
        return sum((self.negatives - taken) * count for taken, count in self.taken.items())

    def __add__(self, other: Audit) -> Audit:
        if other.negatives != self.negatives:
            raise ValueError(f"audits of {self.negatives} and of {other.negatives} negatives a query do not add up")
        reasons = [reason for reason in REASONS if reason in self.examples or reason in other.examples]
        return Audit(
            negatives=self.negatives,
            candidates=self.candidates + other.candidates,
            dropped=_added(self.dropped, other.dropped),
            dropped_of_short=_added(self.dropped_of_short, other.dropped_of_short),
            survivors=_added(self.survivors, other.survivors),
            taken=_added(self.taken, other.taken),
            widened=self.widened + other.widened,
            examples={r: tuple(sorted(self.examples.get(r, ()) + other.examples.get(r, ()))[:EXAMPLES]) for r in reasons},
            shortest=tuple(sorted(self.shortest + other.shortest)[:EXAMPLES]),
        )

    def summary(self) -> str:
        """One line for a log or an error."""
        causes = ", ".join(f"{reason} {count:,}" for reason, count in self.dropped.items() if count) or "nothing"
        short = f"{self.short:,} of {self.queries:,} queries have fewer than {self.negatives} negatives"
        missing = f"{self.missing:,} missing, {self.taken.get(0, 0):,} have none"
        return f"{short} ({missing}); of {self.candidates:,} candidates dropped: {causes}"

    def to_json(self, corpus: pa.Table | None = None) -> dict[str, Any]:
        """The audit as JSON values; with the corpus table its examples carry ids and texts."""
        names = _names(self, corpus)
        return {
            "queries": self.queries,
            "negatives": self.negatives,
            "candidates": self.candidates,
            "dropped": dict(self.dropped),
            "survivors": {str(count): queries for count, queries in sorted(self.survivors.items())},
            "taken": {str(count): queries for count, queries in sorted(self.taken.items())},
            "short": {
                "queries": self.short,
                "missing": self.missing,
                "without_any": self.taken.get(0, 0),
                "dropped": dict(self.dropped_of_short),
                "first": [asdict(query) for query in self.shortest],
            },
            "widened": self.widened,
            "examples": {
                reason: [asdict(example) | names.get(example.doc, {}) for example in examples] for reason, examples in self.examples.items()
            },
        }

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Audit:
        """The audit that `to_json` wrote; ids and texts of examples are left behind."""
        fields = ("key", "query_id", "doc", "rank", "score", "positive_score")
        return cls(
            negatives=written["negatives"],
            candidates=written["candidates"],
            dropped=dict(written["dropped"]),
            dropped_of_short=dict(written["short"]["dropped"]),
            survivors={int(count): queries for count, queries in written["survivors"].items()},
            taken={int(count): queries for count, queries in written["taken"].items()},
            widened=written["widened"],
            examples={
                reason: tuple(Example(**{name: example[name] for name in fields}) for example in examples)
                for reason, examples in written["examples"].items()
            },
            shortest=tuple(ShortQuery(**query) for query in written["short"]["first"]),
        )

    def to_markdown(self, corpus: pa.Table | None = None) -> str:
        """The audit as a report section; with the corpus table its examples show ids and texts."""
        alive = sum(count * queries for count, queries in self.survivors.items())
        lines = ["| candidates | number | share | of queries left short |", "|---|---:|---:|---:|"]
        for reason, count in self.dropped.items():
            if count:
                of_short = self.dropped_of_short[reason]
                lines.append(f"| dropped: {reason} | {count:,} | {count / self.candidates:.2%} | {of_short:,} |")
        lines += [f"| survived | {alive:,} | {alive / max(self.candidates, 1):.2%} | |", f"| in all | {self.candidates:,} | | |"]
        lines += ["", self.summary() + ".", "", "| survivors a query | queries |", "|---|---:|"]
        lines += [f"| {label} | {count:,} |" for label, count in _binned(self.survivors, self.negatives) if count]
        if self.widened:
            lines += ["", f"{self.widened:,} queries looked beyond the range."]
        if self.shortest:
            lines += ["", "Fewest: " + ", ".join(f"{query.query_id} ({query.taken})" for query in self.shortest) + "."]
        if self.examples:
            lines += ["", "| dropped by | query | document | rank | score | positive | text |"]
            lines += ["|---|---|---|---:|---:|---:|---|"]
            names = _names(self, corpus)
            lines += [_example_line(reason, example, names) for reason, examples in self.examples.items() for example in examples]
        return "\n".join(lines) + "\n"


def _added(left: dict[_Key, int], right: dict[_Key, int]) -> dict[_Key, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in left | right}


def _binned(survivors: dict[int, int], negatives: int) -> list[tuple[str, int]]:
    """The histogram in the few bins that matter: none, too few, just enough, plenty."""
    lows = [0, 1, negatives, 2 * negatives, 4 * negatives]
    highs = [0, negatives - 1, 2 * negatives - 1, 4 * negatives - 1, None]
    bins = []
    for low, high in zip(lows, highs, strict=True):
        inside = [queries for count, queries in survivors.items() if count >= low and (high is None or count <= high)]
        label = f"{low} or more" if high is None else str(low) if low == high else f"{low} to {high}"
        bins.append((label, sum(inside)))
    return bins


def _names(audit: Audit, corpus: pa.Table | None) -> dict[int, dict[str, str]]:
    """The id and text of each document row that the examples mention."""
    rows = sorted({example.doc for examples in audit.examples.values() for example in examples})
    if corpus is None or not rows:
        return {}
    named = corpus.select(["doc_id", "text"]).take(pa.array(rows, pa.int64())).to_pylist()
    return dict(zip(rows, named, strict=True))


def _example_line(reason: str, example: Example, names: dict[int, dict[str, str]]) -> str:
    name = names.get(example.doc, {"doc_id": f"row {example.doc}", "text": ""})
    positive = "" if example.positive_score is None else f"{example.positive_score:.4f}"
    text = " ".join(name["text"].split())
    shown = text if len(text) <= _TEXT_SHOWN else text[: _TEXT_SHOWN - 1] + "…"
    cells = [reason, example.query_id, name["doc_id"], str(example.rank), f"{example.score:.4f}", positive, shown]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
