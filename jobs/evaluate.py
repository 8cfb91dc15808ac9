"""Measure retrieval: every metric at every k, with intervals, a baseline, and a report to read."""

from __future__ import annotations

from jobs.command_line import JobSettings, command_run, main
from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import section
from ray_pipeline.pipelines import evaluate as stage
from ray_pipeline.pipelines.retrieve import RetrievalSettings, retrieve
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.reports.markdown import table
from ray_pipeline.reports.retrieval_markdown import BOARD_MEASURES, score_block
from ray_pipeline.reports.side_by_side import SHOWN


class EvaluateJob(JobSettings, RetrievalSettings):
    evaluate: stage.EvaluateSettings = section(stage.EvaluateSettings(), "what is measured, and against what")


def evaluate(settings: EvaluateJob, run: Run) -> None:
    show(stage.evaluate(run, retrieve(run, settings), settings, settings.evaluate, command_run("evaluate")))


def show(report: Artifact) -> None:
    """The measures beside the baseline's, the short block of scores, and where the report is."""
    means, groups, baselines = (report.metrics[name] for name in ("means", "groups", "baselines"))
    print(
        table(
            ["measure", "this run", *baselines],
            [[name, *(f"{one[name]:.4f}" for one in (means, *baselines.values()))] for name in SHOWN if name in means],
        )
    )
    if all(name in means for name in BOARD_MEASURES):
        print(score_block(means, groups.get("seen", {}), groups.get("unseen", {})))
    print(f"report: {report.file('report.md').uri}")


if __name__ == "__main__":
    main("evaluate", EvaluateJob, evaluate)
