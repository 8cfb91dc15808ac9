"""Compare two evaluations of one evaluation set, query by query: `python -m jobs.compare NEW REFERENCE`."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.errors import DataError, PipelineError
from ray_pipeline.metrics.comparison import compare_values
from ray_pipeline.reports.retrieval import RetrievalReport, compare_reports, from_json


def compare(new: str, reference: str, measures: list[str]) -> str:
    """A sentence a measure, then the table of all means; refused for different evaluation sets."""
    artifacts = [load(uri, "evaluation") for uri in (new, reference)]
    reports: list[RetrievalReport] = []
    for artifact in artifacts:
        place = artifact.file("report.json")
        reports.append(from_json(place.read().decode(), place.uri))
    table = compare_reports(*reports)  # refuses different evaluation sets before anything is compared
    sentences = [sentence(artifacts[0], artifacts[1], measure) for measure in measures]
    return "\n".join([f"new:       {new}", f"reference: {reference}", "", *sentences, "", table])


def sentence(new: Artifact, reference: Artifact, measure: str) -> str:
    """The paired comparison on one measure; queries of one group (a question, a paper) are resampled together."""
    tables = [one.table("per_query.parquet") for one in (new, reference)]
    missing = [one.location.uri for one, table in zip((new, reference), tables, strict=True) if measure not in table.column_names]
    if missing:
        raise DataError(f"{missing[0]}: has no {measure!r}; it has {', '.join(tables[0].column_names[2:])}")
    values = [table.column(measure).to_numpy() for table in tables]
    counted = ~np.isnan(values[0])
    groups = tables[0].column("group").to_numpy()[counted]
    return f"{measure}: {compare_values(measure, values[0][counted], values[1][counted], seed=0, clusters=groups).sentence()}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m jobs.compare", description=__doc__)
    parser.add_argument("new", help="the evaluation artifact in question")
    parser.add_argument("reference", help="the one it is held against")
    parser.add_argument(
        "--measure", action="append", help="a measure to compare in words (may be given several times); default: map@25 and recall@25"
    )
    arguments = parser.parse_args()
    try:
        print(compare(arguments.new, arguments.reference, arguments.measure or ["map@25", "recall@25"]))
    except PipelineError as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
