"""A retrieval report as a page to read, and the short block of scores that a training log shows.

Numbers follow the field's habit: MRR as a fraction with four decimals, MAP, precision and recall as percentages. Measures
that see the whole list (MRR, MAP, and any K beyond it) see no deeper than the lists that were searched, so the page says
how deep these are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan, nan

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.significance import Interval
from ray_pipeline.reports.markdown import fenced, table
from ray_pipeline.reports.retrieval import Fact, Measured, RetrievalReport

BOARD_KS = (1, 2, 4, 8, 16, 25, 32, 64)  # the recalls of the score block; its LB is map@25
BOARD_MEASURES = ("map@25", *(f"recall@{k}" for k in BOARD_KS))
_RULE = "-" * 32


def to_markdown(report: RetrievalReport) -> str:
    """The whole report."""
    return "\n\n".join(_sections(report)) + "\n"


def score_block(overall: Mapping[str, float], seen: Mapping[str, float], unseen: Mapping[str, float]) -> str:
    """LB (map@25) of all, seen and unseen labels, then the recalls; an empty group has no LB."""
    missing = [name for name in BOARD_MEASURES if name not in overall]
    if missing:
        raise DataError(f"the score block needs {', '.join(missing)}; measure with k in {', '.join(map(str, BOARD_KS))}")
    lines = [_RULE]
    for name, means in (("LB", overall), ("Seen LB", seen), ("Unseen LB", unseen)):
        value = means.get("map@25", nan)
        lines.append(f">>> {name}: {'n/a' if isnan(value) else round(value, 4)}")
    return "\n".join([*lines, _RULE, *(f">>> Current Recall@{k} = {round(overall[f'recall@{k}'], 4)}" for k in BOARD_KS)])


def _sections(report: RetrievalReport) -> Iterator[str]:
    yield f"# {report.title}"
    yield "\n".join(f"**{name}:** {value}  " for name, value in report.header.items())
    yield "---"
    yield "## Model Configuration"
    yield _facts("Parameter", report.model)
    yield "## Dataset Statistics"
    yield _facts("Metric", report.dataset)
    yield "## Query Statistics (True Positives per Query)"
    yield from _positives(report)
    yield "## Retrieval Metrics"
    yield from _metrics(report)
    yield "### Precision & Recall at K"
    yield _precision_recall(report.ks, report.overall)
    yield "### Other Measures at K"
    yield _other_measures(report.ks, report.overall)
    if report.groups:
        yield "### Groups"
        yield _groups(report.groups)
    if all(name in report.overall.means for name in BOARD_MEASURES):
        groups = [report.groups[name].means if name in report.groups else {} for name in ("seen", "unseen")]
        yield "### Score Block"
        yield fenced(score_block(report.overall.means, *groups))
    if report.worst:
        yield "## Worst Queries"
        header = ["Query", "Text", report.worst_measure, "Wanted", "First in the list"]
        yield table(header, [(row.query_id, row.text, f"{row.value:.4f}", row.wanted, row.got) for row in report.worst])
    yield "## Commands Used"
    for number, command in enumerate(report.commands, start=1):
        yield f"### {number}. {command.title}"
        yield fenced(command.text, "bash")
    yield "## Full Config"
    yield fenced(report.config, "yaml")


def _positives(report: RetrievalReport) -> Iterator[str]:
    stats = report.positives
    shown = {"Mean": stats.mean, "Median": stats.median, "Std Dev": stats.std}
    rows = [(name, f"{value:.2f}") for name, value in shown.items()]
    yield table(["Statistic", "Value"], [*rows, ("Min", f"{stats.minimum:,}"), ("Max", f"{stats.maximum:,}")])
    yield "**Percentiles:**"
    yield table(list(stats.percentiles), [[f"{value:g}" for value in stats.percentiles.values()]])


def _metrics(report: RetrievalReport) -> Iterator[str]:
    means, intervals = report.overall.means, report.overall.intervals
    rows = [
        ("**MRR**", f"**{means['mrr']:.4f}**", _fraction_interval(intervals.get("mrr"))),
        ("**MAP**", f"**{_percent(means['map'])}**", _percent_interval(intervals.get("map"))),
    ]
    yield table(["Metric", "Value", "95% interval"], rows)
    counts = report.counts
    yield (
        f"Means over the {counts.evaluated:,} queries with a positive; {counts.without_positives:,} without one are left out, "
        f"{counts.missing:,} that were not ranked count 0. Lists go {counts.depth:,} deep. "
        f"{counts.nan_scores:,} NaN scores in {counts.queries_with_nan:,} queries were ordered last."
    )
    known = report.evaluation_set
    size = f"{known.queries:,} queries, {known.documents:,} documents, {known.judgements:,} judgements"
    yield f"Evaluation set `{known.fingerprint[:16]}`: {size}."
    if report.baselines:
        yield "### Baselines"
        columns = ["mrr", "map", *(f"{name}@{k}" for name in ("map", "recall") for k in report.ks)]
        columns = [name for name in columns if all(name in baseline.means for baseline in report.baselines)]
        systems = [*((baseline.name, baseline.means) for baseline in report.baselines), ("this run", means)]
        yield table(["Measure", *(name for name, _ in systems)], [(name, *(f"{of[name]:.4f}" for _, of in systems)) for name in columns])


def _precision_recall(ks: Sequence[int], measured: Measured) -> str:
    rows = []
    for k in ks:
        row = [str(k)]
        for name in (f"precision@{k}", f"recall@{k}"):
            row += [_percent(measured.means[name]), _percent_interval(measured.intervals.get(name))]
        rows.append(row)
    return table(["K", "Precision@K", "95% interval", "Recall@K", "95% interval"], rows)


def _other_measures(ks: Sequence[int], measured: Measured) -> str:
    names = {"MAP@K (over R)": "map", "MAP@K (over min(R, K))": "map_min", "MRR@K": "mrr", "nDCG@K": "ndcg", "Hit@K": "hit"}
    return table(["K", *names], [(str(k), *(f"{measured.means[f'{name}@{k}']:.4f}" for name in names.values())) for k in ks])


def _groups(groups: Mapping[str, Measured]) -> str:
    rows = []
    for name, measured in groups.items():
        row = [name, f"{measured.queries:,}"]
        for measure in ("mrr", "map"):
            row += [
                f"{measured.means[measure]:.4f}" if measured.queries else "n/a",
                _fraction_interval(measured.intervals.get(measure)),
            ]
        rows.append(row)
    return table(["Group", "Queries", "MRR", "95% interval", "MAP", "95% interval"], rows)


def _facts(what: str, facts: Mapping[str, Fact]) -> str:
    return table([what, "Value"], [(name, _fact(value)) for name, value in facts.items()])


def _fact(value: Fact) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)  # 3584 is a dimension, 277,205 a count
    return "none" if value is None else str(value)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _percent_interval(interval: Interval | None) -> str:
    return f"{100 * interval.low:.2f} to {_percent(interval.high)}" if interval else "n/a"


def _fraction_interval(interval: Interval | None) -> str:
    return f"{interval.low:.4f} to {interval.high:.4f}" if interval else "n/a"
