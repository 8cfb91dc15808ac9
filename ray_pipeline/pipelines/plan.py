"""A pipeline: named steps in the order they are done, each reading what earlier ones gave.

It is a graph without cycles by construction: a step may only name steps above it. Names are checked when settings are read,
so a misspelt one costs nothing. Steps do not run side by side: each takes the whole cluster.

What a step gives is an artifact like any other, named by its settings and inputs. So a step whose settings, data and earlier
steps are unchanged is found done, whatever it is called now; and a pipeline that was killed goes on where it was.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import model_validator

from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import identity, section
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.chain import BASE, BASED, Chain, PipelineChainSettings
from ray_pipeline.pipelines.code_steps import CodeStep, PairsStep, ProblemStep, SolveStep, WrittenTestsStep
from ray_pipeline.pipelines.dry_run import DryRun, NotThereError
from ray_pipeline.pipelines.iterations import with_iterations
from ray_pipeline.pipelines.policy_steps import DpoStep, GrpoStep, PolicyStep, SftStep
from ray_pipeline.pipelines.stage import Done, Run
from ray_pipeline.pipelines.steps import (
    CompareStep,
    EvaluateStep,
    MergeStep,
    ModelStep,
    ScoreStep,
    Step,
    TrainRerankerStep,
    changed,
    named,
    uses,
)


class PipelineSettings(PipelineChainSettings):
    """A chain of steps over one data set and one base model."""

    steps: dict[str, Step] = section(..., "what is done, in this order: a name, and a step of one of the kinds")
    mode: Literal["once", "folds", "submission"] = identity(
        "once", "folds: once a fold of the questions, evaluated by models that never saw it; submission: train on all, evaluate nothing"
    )
    folds: int = identity(5, "mode=folds: how many", ge=2)

    @classmethod
    def written_out(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return with_iterations(values)

    @model_validator(mode="after")
    def _steps_fit(self) -> PipelineSettings:
        problems = [problem for name in self.steps for problem in _misfits(self, name)]
        if problems:
            raise SettingsError("\n".join(problems))
        return self


@dataclass(frozen=True)
class StepDone:
    """A step, its artifact, and the stages that it took."""

    name: str
    step: Step
    artifact: Artifact
    stages: tuple[Done, ...]


def run_steps(run: Run, settings: PipelineSettings, command: str) -> Iterator[StepDone]:
    """Do the steps one after the other; each is handed out as it is done."""
    made: dict[str, Artifact] = {}
    for name, step in settings.steps.items():
        before = len(run.done)
        made[name] = step.make(Chain(run, settings, made, command))
        yield StepDone(name, step, made[name], tuple(run.done[before:]))


def foresee_steps(run: DryRun, settings: PipelineSettings) -> dict[str, Artifact]:
    """Say in `run` what each step would do: which of its stages are there, which is the first that is not and why, or which
    step it waits for. What steps have given already is returned."""
    made: dict[str, Artifact] = {}
    for name, step in settings.steps.items():
        run.say(f"{name} ({step.kind})")
        waits = [other for other in dict.fromkeys(other for _, other in uses(step)) if other not in made]
        if waits:
            run.waits(f"for {' and '.join(waits)}")
            continue
        try:
            made[name] = step.make(Chain(run, settings, made, ""))
        except NotThereError:
            continue  # the run has noted it; steps that read this one will wait
    return made


def _misfits(settings: PipelineSettings, name: str) -> Iterator[str]:
    """What is wrong with a step, a line each."""
    step = settings.steps[name]
    above = dict(list(settings.steps.items())[: list(settings.steps).index(name)])
    if name == BASE:
        yield f"steps.{BASE}: this name means the pipeline's own model; give the step another"
    for field, other in named(step):
        if other == BASE and field not in BASED:
            yield f"steps.{name}.{field}={BASE!r}: that is the pipeline's own model; name a step that gives {step.reads[field]}"
    for field, other in uses(step):
        wrong = _wrong_name(settings.steps, above, other, step.reads[field])
        if wrong:
            yield f"steps.{name}.{field}={other!r}: {wrong}"
        elif field in ("groups", "pseudo"):
            yield from _other_data(name, step, field, other, above[other])
    if isinstance(step, TrainRerankerStep | ScoreStep | EvaluateStep):
        yield from _reranker_misfits(settings, name, step)
    if isinstance(step, MergeStep):
        if step.model == BASE:
            yield f"steps.{name}.model={BASE!r}: only a step that trains leaves checkpoints; name one"
        return
    if isinstance(step, PolicyStep):
        yield from _policy_misfits(settings, name, step)
        return
    if isinstance(step, CodeStep):
        yield from _code_misfits(settings, name, step)
        return
    if isinstance(step, ScoreStep | CompareStep):
        return
    if step.embedder and step.model != BASE:
        yield f"steps.{name}.embedder: changes the base model, but this step uses that of {step.model!r}; drop it, or set model={BASE}"
    try:
        changed(settings, step)
    except SettingsError as problem:
        for line in str(problem).splitlines():
            yield f"steps.{name}.{line}"


def _reranker_misfits(settings: PipelineSettings, name: str, step: TrainRerankerStep | ScoreStep | EvaluateStep) -> Iterator[str]:
    if isinstance(step, EvaluateStep):
        if not step.rerankers:
            return
        try:
            step.rerank.require_scorings(len(step.rerankers))
        except ValueError as problem:
            yield f"steps.{name}: {problem}"
    if settings.reranker is None:
        yield f"steps.{name}: needs a reranker, and this pipeline has none; set reranker.name to the model that rerankers begin from"


def _code_misfits(settings: PipelineSettings, name: str, step: CodeStep) -> Iterator[str]:
    if isinstance(step, SolveStep | WrittenTestsStep) and settings.policy is None:
        yield f"steps.{name}: a policy writes, and this pipeline has none; set policy.name to a decoder"
    if isinstance(step, ProblemStep):
        try:
            step.own_problems(settings)
        except SettingsError as problem:
            yield f"steps.{name}: {problem}"


def _policy_misfits(settings: PipelineSettings, name: str, step: PolicyStep) -> Iterator[str]:
    if settings.policy is None:
        yield f"steps.{name}: trains a policy, and this pipeline has none; set policy.name to the decoder that it begins from"
    pairs = settings.steps.get(step.pairs) if isinstance(step, SftStep | DpoStep) and step.pairs is not None else None
    if isinstance(pairs, PairsStep):
        yield from _missing_sets(name, step, pairs)
    try:
        if isinstance(step, SftStep | GrpoStep):
            step.own_chats(settings)
        elif isinstance(step, DpoStep):
            step.own_preferences(settings)
    except SettingsError as problem:
        for line in str(problem).splitlines():
            yield f"steps.{name}: {line}"


def _missing_sets(name: str, step: PolicyStep, pairs: PairsStep) -> Iterator[str]:
    """Sets that the step of kind pairs does not make."""
    asked, field = (step.sets, "sets") if isinstance(step, DpoStep) else ((getattr(step, "imitate", None),), "imitate")
    made = pairs.pairs.sets if field == "sets" else pairs.pairs.imitate
    for one in asked:
        if one is not None and one not in made:
            yield f"steps.{name}.{field}: {one!r} is none of the sets that are made; they are {', '.join(made) or 'none'}"


def _wrong_name(steps: Mapping[str, Step], above: Mapping[str, Step], other: str, wanted: str) -> str:
    """Why this step cannot be named here; nothing where it can."""
    fitting = [name for name, step in above.items() if step.gives == wanted]
    near = difflib.get_close_matches(other, fitting, n=1, cutoff=0.0)
    hint = f"did you mean {near[0]!r}?" if near else f"no step above gives {wanted}"
    if other not in steps:
        return f"there is no such step; {hint}"
    if other not in above:
        return f"that step comes later; a step reads only what stands above it, so move it up, or take another: {hint}"
    if above[other].gives != wanted:
        return f"that step gives {above[other].gives}, and {wanted} is needed here; {hint}"
    return ""


def _other_data(name: str, step: Step, field: str, other: str, named: Step) -> Iterator[str]:
    """Rows must come from the data that the step trains on: other texts under the same ids would go unnoticed."""
    if isinstance(step, ModelStep) and isinstance(named, ModelStep) and step.data != named.data:
        there, here = ("as it is" if not one.data else str(one.data) for one in (named, step))
        yield f"steps.{name}.{field}={other!r}: that step reads other data ({there}; here {here}); give both the same"
