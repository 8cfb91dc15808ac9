"""Compare two evaluations of one evaluation set, query by query: `python -m jobs.compare NEW REFERENCE`."""

from __future__ import annotations

import argparse
import sys

from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.errors import PipelineError
from ray_pipeline.pipelines.compare import COMPARED, paired, report_of
from ray_pipeline.reports.retrieval import compare_reports
from ray_pipeline.reports.side_by_side import Column, figures


def compare(new: str, reference: str, measures: list[str]) -> str:
    """A sentence a measure, then the table of all means; refused for different evaluation sets."""
    artifacts = [load(uri, "evaluation") for uri in (new, reference)]
    compared = compare_reports(*map(report_of, artifacts))  # refuses different evaluation sets before anything is compared
    sentences = [sentence(artifacts[0], artifacts[1], measure) for measure in measures]
    return "\n".join([f"new:       {new}", f"reference: {reference}", "", *sentences, "", compared])


def sentence(new: Artifact, reference: Artifact, measure: str) -> str:
    """The paired comparison on one measure in words."""
    return f"{measure}: {paired(new, reference, measure).sentence()}"


def beside(name: str, new: Artifact, other: str, reference: Artifact) -> str:
    """Two evaluations in one table, and whether they differ by more than chance."""
    columns = [Column(title, one.metrics["means"], one.metrics["groups"], "") for title, one in ((other, reference), (name, new))]
    measures = [measure for measure in COMPARED if all(measure in one.means for one in columns)]
    sentences = [f"{name} against {other}, {sentence(new, reference, measure)}" for measure in measures]
    return "\n".join(["", figures(columns), *sentences])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m jobs.compare", description=__doc__)
    parser.add_argument("new", help="the evaluation artifact in question")
    parser.add_argument("reference", help="the one it is held against")
    parser.add_argument(
        "--measure", action="append", help="a measure to compare in words (may be given several times); default: map@25 and recall@25"
    )
    arguments = parser.parse_args()
    try:
        print(compare(arguments.new, arguments.reference, arguments.measure or list(COMPARED)))
    except PipelineError as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
