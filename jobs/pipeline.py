"""Run a chain of stages to its end: what is done stays done, what is missing is computed."""

from __future__ import annotations

from typing import Literal

from jobs.command_line import JobSettings, command_run, main
from jobs.evaluate import show
from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import identity, section
from ray_pipeline.pipelines.evaluate import EvaluateSettings, evaluate
from ray_pipeline.pipelines.mine import MiningSettings, mine_groups
from ray_pipeline.pipelines.retrieve import RetrievalSettings, retrieve
from ray_pipeline.pipelines.stage import Done, Run
from ray_pipeline.progress import duration

Goal = Literal["mine", "evaluate"]


class PipelineJob(JobSettings, RetrievalSettings):
    goals: tuple[Goal, ...] = identity(("mine", "evaluate"), "what to arrive at, in order; what each needs comes by itself")
    mining: MiningSettings = section(MiningSettings(), "which negatives, and in what forms")
    evaluate: EvaluateSettings = section(EvaluateSettings(), "what is measured, and against what")


def pipeline(settings: PipelineJob, run: Run) -> None:
    report: Artifact | None = None
    for goal in settings.goals:
        if goal == "mine":
            training = settings.model_copy(update={"split": "train"})
            groups = mine_groups(run, retrieve(run, training, depth=settings.mining.depth), settings.mining)
            print(f"mined: {groups.metrics['audit']}\naudit: {groups.file('audit.md').uri}")
        else:
            report = evaluate(run, retrieve(run, settings), settings, settings.evaluate, command_run("pipeline"))
    print(summary(run))
    if report is not None:
        show(report)


def summary(run: Run) -> str:
    """One line a stage: what became of it, how long it took."""
    lines = ["", f"{'stage':<16} {'status':<13} {'time':>7}  {'rows':>8}  artifact"]
    lines += [
        f"{_name(done):<16} {done.status:<13} {duration(done.seconds):>7}  {done.artifact.manifest['rows']:>8,}  {done.artifact.fingerprint[:12]}"
        for done in run.done
    ]
    computed = sum(done.status != "already done" for done in run.done)
    return "\n".join([*lines, f"{computed} of {len(run.done)} stages computed, {len(run.done) - computed} already done", ""])


def _name(done: Done) -> str:
    """The stage, and of vectors whose."""
    side = done.artifact.manifest["identity"].get("side") or done.artifact.manifest["identity"].get("search", {}).get("method")
    return f"{done.stage} ({side})" if side else done.stage


if __name__ == "__main__":
    main("pipeline", PipelineJob, pipeline)
