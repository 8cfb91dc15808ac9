"""Run a chain of named steps to its end: what is done stays done, what is missing is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.command_line import JobSettings, command_run, main
from jobs.show_step import show
from ray_pipeline.artifacts import Artifact
from ray_pipeline.external_scores import ExternalScore, external_scores
from ray_pipeline.pipelines.compare import COMPARED
from ray_pipeline.pipelines.dry_run import DryRun
from ray_pipeline.pipelines.modes import over_folds, submitted, variants
from ray_pipeline.pipelines.plan import PipelineSettings, StepDone, foresee_steps, run_steps
from ray_pipeline.pipelines.stage import Done, Run
from ray_pipeline.progress import duration
from ray_pipeline.reports.markdown import table
from ray_pipeline.rollout.engine import release_engine


class PipelineJob(JobSettings, PipelineSettings):
    pass


def pipeline(settings: PipelineJob, run: Run) -> None:
    try:
        all_variants(settings, run)
    finally:
        release_engine()  # steps that generate share one


def all_variants(settings: PipelineJob, run: Run) -> None:
    evaluations: dict[str, list[Artifact]] = {}
    for variant in variants(settings):
        if variant.name:
            print(f"\n#### {variant.name}")
        if isinstance(run, DryRun):
            foresee_steps(run, variant.settings)
            continue
        for name, artifact in one_run(variant.settings, run).items():
            evaluations.setdefault(name, []).append(artifact)
    if settings.mode == "folds" and evaluations:
        print(over_all_folds(evaluations, submitted(run, settings)))


def one_run(settings: PipelineSettings, run: Run) -> dict[str, Artifact]:
    """Do the steps and show them; what was measured, by step."""
    done: list[StepDone] = []
    for one in run_steps(run, settings, command_run("pipeline")):
        done.append(one)
        show(one, done)
    print(summary(done))
    measured = [one.artifact for one in done if one.step.kind in ("evaluate", "compare", "compare_code")]
    if measured:
        print(f"report: {measured[-1].file('report.md').uri}")
    return {one.name: one.artifact for one in done if one.step.kind == "evaluate"}


def over_all_folds(evaluations: Mapping[str, Sequence[Artifact]], handed_in: Mapping[str, Artifact]) -> str:
    """Each evaluating step's figures over the queries of all folds, and what others measured of the submission's model."""
    rows = []
    for name, artifacts in evaluations.items():
        external = "; ".join(score.text() for score in _external(artifacts, handed_in.get(name)))
        for measure in (one for one in COMPARED if all(one in artifact.metrics["means"] for artifact in artifacts)):
            found = over_folds(artifacts, measure)
            by_fold = ", ".join(f"{artifact.metrics['means'][measure]:.4f}" for artifact in artifacts)
            rows.append([name, measure, f"{found.mean:.4f}", f"{found.low:.4f} to {found.high:.4f}", f"{found.queries:,}", by_fold, external])
    return "\n" + table(["step", "measure", "all folds", "95% interval", "queries", "by fold", "external score"], rows)


def _external(evaluations: Sequence[Artifact], model: Artifact | None) -> list[ExternalScore]:
    return [score for one in (*evaluations, *([] if model is None else [model])) for score in external_scores(one)]


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
