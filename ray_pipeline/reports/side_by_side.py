"""Several evaluations of one evaluation set as one page: their figures, and of each pair whether it differs by more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

from ray_pipeline.metrics.comparison import Comparison
from ray_pipeline.reports.markdown import table

SHOWN: Final = ("map@25", "mrr", "ndcg@10", "recall@10", "recall@25", "recall@100", "precision@1")
Differences = Mapping[tuple[str, str], Comparison]  # (new, reference)


@dataclass(frozen=True)
class Column:
    """One evaluation: its name, the means of all queries and of the groups."""

    name: str
    means: Mapping[str, float]
    groups: Mapping[str, Mapping[str, float]]
    report: str  # where its own report is


def side_by_side(columns: Sequence[Column], differences: Mapping[str, Differences]) -> str:
    """The figures, then for each compared measure the differences in points, every evaluation against every one before it."""
    parts = [figures(columns)]
    for measure, found in differences.items():
        parts += [f"{measure}, difference in points with its 95% interval, in bold where that leaves out 0:", _matrix(columns, found)]
    return "\n\n".join(parts)


def page(title: str, columns: Sequence[Column], differences: Mapping[str, Differences]) -> str:
    """The same as a page of its own, with links to the evaluations' reports."""
    links = table(["evaluation", "report"], [(one.name, one.report) for one in columns])
    return "\n\n".join([f"# {title}", side_by_side(columns, differences), "## Reports", links]) + "\n"


def figures(columns: Sequence[Column]) -> str:
    """A row a measure, a column an evaluation; MAP@25 of seen and unseen labels apart where there are both."""
    shown = [name for name in SHOWN if any(name in one.means for one in columns)]
    rows = [[name, *(_figure(one.means.get(name, nan)) for one in columns)] for name in shown]
    by_group = [group for group in ("seen", "unseen") if any("map@25" in one.groups.get(group, {}) for one in columns)]
    rows += [[f"map@25, {group} labels", *(_figure(one.groups.get(group, {}).get("map@25", nan)) for one in columns)] for group in by_group]
    return table(["measure", *(one.name for one in columns)], rows)


def _matrix(columns: Sequence[Column], differences: Differences) -> str:
    names = [one.name for one in columns]
    rows = [[new, *(_difference(differences.get((new, old))) for old in names[:-1])] for new in names[1:]]
    return table(["", *(f"over {name}" for name in names[:-1])], rows)


def _difference(found: Comparison | None) -> str:
    if found is None:
        return ""
    mean, low, high = (100 * value for value in (found.difference.mean, found.difference.low, found.difference.high))
    text = f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"
    return f"**{text}**" if found.shown else text


def _figure(value: float) -> str:
    return "" if value != value else f"{value:.4f}"
