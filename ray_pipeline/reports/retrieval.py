"""The report of a retrieval run as plain data: what is said about the model, the data and the numbers, and how sure they are.

`build_report` gathers it from a `RankingResult`; `to_json` and `from_json` keep it, `reports.retrieval_markdown` prints it.
The report carries the fingerprint of its evaluation set, and two reports on different sets refuse to be compared. Means of
an empty group and intervals of fewer than two independent queries do not exist, and so are left out rather than written as
NaN. The file holds means, not per-query values: whether a difference of two reports is more than chance is answered by
`metrics.comparison` from the two rankings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.evaluation_set import EvaluationSet, require_same_set
from ray_pipeline.metrics.ranking import Counts, RankingResult
from ray_pipeline.metrics.significance import Interval, bootstrap_intervals
from ray_pipeline.reports.markdown import table

Fact = str | int | float | bool | None
PERCENTILES = (50, 75, 90, 95, 99)


@dataclass(frozen=True)
class PositivesPerQuery:
    """How many true positives the queries of the set have."""

    mean: float
    median: float
    std: float  # of these queries, not an estimate for others
    minimum: int
    maximum: int
    percentiles: dict[str, float]  # "P50" to "P99"

    @classmethod
    def of(cls, positives: NDArray[np.integer]) -> PositivesPerQuery:
        """From the number of positives of each query (`Qrels.positives`)."""
        if not len(positives):
            raise DataError("there are no queries to count positives of")
        cuts = {f"P{p}": float(value) for p, value in zip(PERCENTILES, np.percentile(positives, PERCENTILES), strict=True)}
        mean, median, std = float(positives.mean()), float(np.median(positives)), float(positives.std())
        return cls(mean, median, std, int(positives.min()), int(positives.max()), cuts)


@dataclass(frozen=True)
class Measured:
    """Means over some queries, with the intervals of the main ones."""

    queries: int
    means: dict[str, float]
    intervals: dict[str, Interval]


@dataclass(frozen=True)
class Baseline:
    """Another system on the same evaluation set, such as BM25."""

    name: str
    means: dict[str, float]


@dataclass(frozen=True)
class Command:
    title: str
    text: str


@dataclass(frozen=True)
class QueryExample:
    """A query worth looking at, with what was wanted and what came first."""

    query_id: str
    text: str
    value: float
    wanted: str
    got: str


@dataclass(frozen=True)
class RetrievalReport:
    title: str
    header: dict[str, str]  # Date, Model, Dataset, Split
    model: dict[str, Fact]
    dataset: dict[str, Fact]
    positives: PositivesPerQuery
    ks: tuple[int, ...]
    overall: Measured
    groups: dict[str, Measured]  # "seen" and "unseen" labels
    counts: Counts
    evaluation_set: EvaluationSet
    baselines: tuple[Baseline, ...]
    worst_measure: str  # what the values of `worst` are
    worst: tuple[QueryExample, ...]
    commands: tuple[Command, ...]
    config: str  # the resolved settings as YAML
    kind: Literal["retrieval report 1"] = "retrieval report 1"


def build_report(
    result: RankingResult,
    *,
    title: str,
    header: Mapping[str, str],
    model: Mapping[str, Fact],
    dataset: Mapping[str, Fact],
    positives: NDArray[np.integer],
    commands: Sequence[Command],
    config: str,
    seed: int,
    clusters: NDArray[np.integer] | None = None,
    baselines: Mapping[str, RankingResult] | None = None,
    worst_measure: str = "map",
    worst: Sequence[QueryExample] = (),
) -> RetrievalReport:
    """The report of `result`; `clusters` labels every query row by what belongs together, `seed` is that of the intervals."""
    if result.evaluation_set is None:
        raise DataError("a report needs to know its evaluation set; give `evaluation_set` when measuring")
    return RetrievalReport(
        title=title,
        header=dict(header),
        model=dict(model),
        dataset=dict(dataset),
        positives=PositivesPerQuery.of(positives),
        ks=result.ks,
        overall=_measured(result, result.evaluated, result.means, seed, clusters),
        groups={name: _measured(result, group.members, group.means, seed, clusters) for name, group in result.groups.items()},
        counts=result.counts,
        evaluation_set=result.evaluation_set,
        baselines=tuple(_baseline(name, other, result) for name, other in (baselines or {}).items()),
        worst_measure=worst_measure,
        worst=tuple(worst),
        commands=tuple(commands),
        config=config,
    )


def worst_query_rows(result: RankingResult, measure: str, count: int) -> NDArray[np.int64]:
    """The rows of the `count` evaluated queries with the lowest value, lowest first, then by row."""
    rows = np.flatnonzero(result.evaluated)
    return rows[np.argsort(result.evaluated_values(measure), kind="stable")[:count]]


def to_json(report: RetrievalReport) -> str:
    """The report as indented JSON."""
    return TypeAdapter(RetrievalReport).dump_json(report, indent=2).decode() + "\n"


def from_json(text: str, where: object) -> RetrievalReport:
    """The report that `to_json` wrote; `where` names the source in errors."""
    try:
        return TypeAdapter(RetrievalReport).validate_json(text)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{where}: not a retrieval report: {place}: {first['msg']} (write it with jobs.evaluate)") from problem


def compare_reports(new: RetrievalReport, reference: RetrievalReport) -> str:
    """A Markdown table of the measures both have, differences in points; refused for different evaluation sets."""
    require_same_set(new.evaluation_set, reference.evaluation_set)
    shared = [name for name in new.overall.means if name in reference.overall.means]
    pairs = [(name, new.overall.means[name], reference.overall.means[name]) for name in shared]
    rows = [(name, f"{old:.4f}", f"{now:.4f}", f"{100 * (now - old):+.2f}") for name, now, old in pairs]
    return table(["Measure", reference.title, new.title, "Difference (points)"], rows)


def _baseline(name: str, other: RankingResult, result: RankingResult) -> Baseline:
    require_same_set(other.evaluation_set, result.evaluation_set)
    return Baseline(name, dict(other.means))


def _measured(
    result: RankingResult, members: NDArray[np.bool_], means: Mapping[str, float], seed: int, clusters: NDArray[np.integer] | None
) -> Measured:
    if not members.any():
        return Measured(0, {}, {})
    main = ["mrr", "map", *(f"{name}@{k}" for name in ("map", "precision", "recall") for k in result.ks)]
    columns = {name: result.values[name][members] for name in main}
    intervals = bootstrap_intervals(columns, seed=seed, clusters=None if clusters is None else clusters[members])
    return Measured(int(members.sum()), dict(means), {name: found for name, found in intervals.items() if isfinite(found.low)})
