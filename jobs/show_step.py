"""What a pipeline says of a step as soon as it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jobs.compare import beside
from jobs.evaluate import show as show_evaluation
from jobs.score import show as show_score
from ray_pipeline.artifacts import Artifact
from ray_pipeline.external_scores import external_scores
from ray_pipeline.pipelines.code_steps import JudgeStep
from ray_pipeline.pipelines.judge import summary as judged
from ray_pipeline.pipelines.pairs import pairs_summary
from ray_pipeline.pipelines.plan import StepDone
from ray_pipeline.pipelines.steps import EvaluateStep
from ray_pipeline.pipelines.timings import timing_summary
from ray_pipeline.pipelines.written_tests import outcomes_summary
from ray_pipeline.reports.epoch_blocks import epoch_blocks
from ray_pipeline.reports.epoch_table import epoch_table
from ray_pipeline.reports.index import index_table


def show(one: StepDone, done: Sequence[StepDone]) -> None:
    """Print it; `done` are the steps so far."""
    print(f"\n== {one.name} ({one.step.kind}): {one.artifact.location.uri}")
    if one.step.kind in ("train_embedder", "train_reranker"):
        print(epoch_blocks(f"{one.name} train", one.artifact.metrics["evaluations"], one.artifact.metrics["chosen_step"]))
        print(_ended(one.artifact.metrics))
    elif one.step.kind == "score":
        show_score(one.artifact)
    elif isinstance(one.step, JudgeStep):
        print(judged(one.artifact, one.step.judge))
    elif isinstance(one.step, EvaluateStep):
        show_evaluation(one.artifact)
        if one.step.against is not None:
            other = next(before for before in done if before.name == one.step.against)
            print(beside(one.name, one.artifact, other.name, other.artifact))
    elif one.step.kind in SAID:
        print(SAID[one.step.kind](one.artifact))
    for score in external_scores(one.artifact):
        print(f"external score: {score.text()}")


def _ended(metrics: Mapping[str, Any]) -> str:
    return f"{metrics['ended']}: {metrics['why']}; the model is that of step {metrics['chosen_step']}"


def _policy(artifact: Artifact) -> str:
    return f"{epoch_table(artifact)}\n{_ended(artifact.metrics)}"


def _solutions(artifact: Artifact) -> str:
    return f"{artifact.metrics['solutions']:,} programs for {artifact.metrics['problems']:,} problems"


SAID: Final[Mapping[str, Callable[[Artifact], str]]] = {
    "sft": _policy,
    "dpo": _policy,
    "mine": lambda made: f"{made.metrics['audit']}\naudit: {made.file('audit.md').uri}",
    "pseudo_labels": lambda made: f"{made.metrics['summary']}\nreport: {made.file('report.md').uri}",
    "index": index_table,
    "compare": lambda made: str(made.metrics["summary"]),
    "solve": _solutions,
    "solutions": _solutions,
    "time": timing_summary,
    "written_tests": outcomes_summary,
    "pairs": pairs_summary,
    "compare_code": lambda made: str(made.metrics["report"]),
}
"""By the kind of a step, what its artifact has to say; kinds that are not here say nothing, or more than their artifact knows."""
