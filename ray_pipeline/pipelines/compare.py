"""Stage `comparison`: evaluations of one evaluation set side by side, and which of their differences are more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.comparison import Comparison, compare_values
from ray_pipeline.metrics.evaluation_set import require_same_set
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.reports.retrieval import RetrievalReport, from_json
from ray_pipeline.reports.side_by_side import Column, page, side_by_side

ALGORITHM = 1
COMPARED: Final = ("map@25", "recall@25")  # with paired intervals


def compare_evaluations(run: Run, evaluations: Mapping[str, Artifact]) -> Artifact:
    """Each evaluation against every one before it; refused for different evaluation sets."""
    inputs = {name: artifact.as_input() for name, artifact in evaluations.items()}
    stage = Stage("comparison", ALGORITHM, {}, inputs, {"evaluations": list(evaluations)})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        reports = {name: report_of(artifact) for name, artifact in evaluations.items()}
        first, *others = reports.values()
        for other in others:
            require_same_set(other.evaluation_set, first.evaluation_set)
        columns = [Column(name, one.metrics["means"], one.metrics["groups"], one.file("report.md").uri) for name, one in evaluations.items()]
        measures = [name for name in COMPARED if all(name in one.means for one in columns)]
        differences = {measure: _pairs(evaluations, measure) for measure in measures}
        attempt.write("report.md", page(f"Side by side: {first.header['Dataset']}", columns, differences).encode())
        gains = {
            measure: {f"{new} over {old}": [one.difference.mean, one.difference.low, one.difference.high] for (new, old), one in found.items()}
            for measure, found in differences.items()
        }
        return Outcome(len(columns), {"summary": side_by_side(columns, dict(list(differences.items())[:1])), "differences": gains})

    return run.ensure(stage, build)


def report_of(evaluation: Artifact) -> RetrievalReport:
    """An evaluation's report as data."""
    place = evaluation.file("report.json")
    return from_json(place.read().decode(), place.uri)


def paired(new: Artifact, reference: Artifact, measure: str) -> Comparison:
    """The paired comparison on one measure; queries of one group (a question, a paper) are resampled together."""
    tables = [one.table("per_query.parquet") for one in (new, reference)]
    missing = [one.location.uri for one, table in zip((new, reference), tables, strict=True) if measure not in table.column_names]
    if missing:
        raise DataError(f"{missing[0]}: has no {measure!r}; it has {', '.join(tables[0].column_names[2:])}")
    values = [table.column(measure).to_numpy() for table in tables]
    counted = ~np.isnan(values[0])
    groups = tables[0].column("group").to_numpy()[counted]
    return compare_values(measure, values[0][counted], values[1][counted], seed=0, clusters=groups)


def _pairs(evaluations: Mapping[str, Artifact], measure: str) -> dict[tuple[str, str], Comparison]:
    names = list(evaluations)
    return {(new, old): paired(evaluations[new], evaluations[old], measure) for at, new in enumerate(names) for old in names[:at]}
