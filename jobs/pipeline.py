"""Run a chain of named steps to its end: what is done stays done, what is missing is computed."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.command_line import JobSettings, command_run, main
from jobs.compare import sentence
from jobs.evaluate import SHOWN
from jobs.evaluate import show as show_evaluation
from ray_pipeline.artifacts import Artifact
from ray_pipeline.external_scores import external_scores
from ray_pipeline.pipelines.dry_run import DryRun
from ray_pipeline.pipelines.plan import PipelineSettings, StepDone, foresee_steps, run_steps
from ray_pipeline.pipelines.stage import Done, Run
from ray_pipeline.pipelines.steps import EvaluateStep
from ray_pipeline.progress import duration
from ray_pipeline.reports.epoch_blocks import epoch_blocks
from ray_pipeline.reports.markdown import table

COMPARED = ("map@25", "recall@25")  # with a paired interval


class PipelineJob(JobSettings, PipelineSettings):
    pass


def pipeline(settings: PipelineJob, run: Run) -> None:
    if isinstance(run, DryRun):
        foresee_steps(run, settings)
        return
    done: list[StepDone] = []
    for one in run_steps(run, settings, command_run("pipeline")):
        done.append(one)
        show(one, done)
    print(summary(done))
    reports = [one.artifact.file("report.md").uri for one in done if one.step.kind == "evaluate"]
    if reports:
        print(f"report: {reports[-1]}")


def show(one: StepDone, done: Sequence[StepDone]) -> None:
    """What a step has to say, as soon as it is done."""
    print(f"\n== {one.name} ({one.step.kind}): {one.artifact.location.uri}")
    if one.step.kind == "train_embedder":
        metrics = one.artifact.metrics
        print(epoch_blocks(f"{one.name} train", metrics["evaluations"], metrics["chosen_step"]))
        print(f"{metrics['ended']}: {metrics['why']}; the model is that of step {metrics['chosen_step']}")
    elif one.step.kind == "mine":
        print(f"{one.artifact.metrics['audit']}\naudit: {one.artifact.file('audit.md').uri}")
    elif one.step.kind == "pseudo_labels":
        print(f"{one.artifact.metrics['summary']}\nreport: {one.artifact.file('report.md').uri}")
    elif isinstance(one.step, EvaluateStep):
        show_evaluation(one.artifact)
        if one.step.against is not None:
            other = next(before for before in done if before.name == one.step.against)
            print(beside(one.name, one.artifact, other.name, other.artifact))
    for score in external_scores(one.artifact):
        print(f"external score: {score.text()}")


def beside(name: str, new: Artifact, other: str, reference: Artifact) -> str:
    """Two evaluations in one table, and whether they differ by more than chance."""
    before, after = reference.metrics["means"], new.metrics["means"]
    shown = [measure for measure in SHOWN if measure in before and measure in after]
    rows = [[measure, f"{before[measure]:.4f}", f"{after[measure]:.4f}"] for measure in shown]
    sentences = [f"{name} against {other}, {sentence(new, reference, measure)}" for measure in COMPARED if measure in shown]
    return "\n".join(["", table(["measure", other, name], rows), *sentences])


def summary(done: Sequence[StepDone]) -> str:
    """One line a stage: what became of it, how long it took."""
    stages = [(one.name, stage) for one in done for stage in one.stages]
    width = max((len(name) for name, _ in stages), default=4)
    lines = ["", f"{'step':<{width}}  {'stage':<18} {'status':<13} {'time':>7}  {'rows':>8}  artifact"]
    lines += [
        f"{name:<{width}}  {_name(stage):<18} {stage.status:<13} {duration(stage.seconds):>7}  {stage.artifact.manifest['rows']:>8,}  "
        f"{stage.artifact.fingerprint[:12]}"
        for name, stage in stages
    ]
    computed = sum(stage.status != "already done" for _, stage in stages)
    return "\n".join([*lines, f"{computed} of {len(stages)} stages computed, {len(stages) - computed} already done", ""])


def _name(done: Done) -> str:
    """The stage, and of vectors whose."""
    side = done.artifact.manifest["identity"].get("side") or done.artifact.manifest["identity"].get("search", {}).get("method")
    return f"{done.stage} ({side})" if side else done.stage


if __name__ == "__main__":
    main("pipeline", PipelineJob, pipeline)
