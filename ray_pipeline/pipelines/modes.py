"""Whole pipelines in other modes than once: each fold evaluated by models that never saw it, or everything trained on.

* folds       the pipeline runs once a fold of the questions; its trainings, its mining and its teachers see the other folds alone, so what is
              measured on a fold is measured on what none of them knew. Figures are over all folds' queries together.
* submission  every judged query trains and nothing is evaluated: for a model to be scored elsewhere.

Data that are generated have held-out templates of their own: there a fold is one of `data.tuning`, and a submission leaves none out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ray_pipeline.artifacts import Artifact
from ray_pipeline.metrics.significance import Interval, bootstrap_interval
from ray_pipeline.pipelines.dry_run import DryRun
from ray_pipeline.pipelines.plan import PipelineSettings, foresee_steps
from ray_pipeline.pipelines.policy_steps import DpoStep, GrpoStep, SftStep
from ray_pipeline.pipelines.prepare import Data, FileData, FoldSplit, TrainSplit, Tuning
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.steps import CompareStep, EvaluateStep, IndexStep, Step, TrainEmbedderStep, TrainRerankerStep


@dataclass(frozen=True)
class Variant:
    """One run of a pipeline."""

    name: str  # empty where there is but one
    settings: PipelineSettings


def variants(settings: PipelineSettings) -> list[Variant]:
    """The runs that the mode asks for."""
    if settings.mode == "submission":
        return [Variant("", submission(settings))]
    if settings.mode == "folds":
        return [Variant(f"fold {number} of {settings.folds}", of_fold(settings, number)) for number in range(settings.folds)]
    return [Variant("", settings)]


def of_fold(settings: PipelineSettings, fold: int) -> PipelineSettings:
    """The pipeline with one fold of the questions evaluated and the others trained on."""
    data: Data = settings.data
    if isinstance(data, FileData):
        seed = data.split.seed if hasattr(data.split, "seed") else 42
        data = data.model_copy(update={"split": FoldSplit(folds=settings.folds, fold=fold, seed=seed)})
    else:
        data = data.model_copy(update={"tuning": Tuning(folds=settings.folds, fold=fold)})
    steps = {name: step for name, step in settings.steps.items() if not isinstance(step, IndexStep)}  # a fold's model serves nobody
    return settings.model_copy(update={"data": data, "steps": steps})


def submission(settings: PipelineSettings) -> PipelineSettings:
    """The pipeline without its evaluations, on all judged queries."""
    data: Data = settings.data
    if isinstance(data, FileData):
        data = data.model_copy(update={"split": TrainSplit(), "tuning": None})
    else:
        data = data.model_copy(update={"eval_share": 0.0, "unseen_labels": 0, "tuning": None})
    steps = {name: _without_evaluation(step) for name, step in settings.steps.items() if not isinstance(step, EvaluateStep | CompareStep)}
    return settings.model_copy(update={"data": data, "steps": steps})


def submitted(run: Run, settings: PipelineSettings) -> dict[str, Artifact]:
    """Of each evaluating step, the model that it measures as the submission has it, where that has been trained."""
    made = foresee_steps(DryRun(run.workspace, run.cluster), submission(settings))
    measured = {name: (*step.rerankers, step.model)[0] for name, step in settings.steps.items() if isinstance(step, EvaluateStep)}
    return {name: made[model] for name, model in measured.items() if model in made}


def _without_evaluation(step: Step) -> Step:
    if not isinstance(step, TrainEmbedderStep | TrainRerankerStep | SftStep | DpoStep | GrpoStep):
        return step
    train = step.training.train
    changes: dict[str, Any] = {"evaluation": None, "checkpoints": train.checkpoints.model_copy(update={"keep_best": False})}
    training = step.training.model_copy(update={"train": train.model_copy(update=changes)})
    return step.model_copy(update={"training": training})


def over_folds(evaluations: Sequence[Artifact], measure: str) -> Interval:
    """The mean of a measure over all folds' queries; whole questions are resampled."""
    values, groups, before = [], [], 0
    for one in evaluations:
        table = one.table("per_query.parquet")
        found, group = table.column(measure).to_numpy(), table.column("group").to_numpy()
        judged = ~np.isnan(found)
        values.append(found[judged])
        groups.append(group[judged] + before)
        before += int(group.max(initial=-1)) + 1
    return bootstrap_interval(np.concatenate(values), seed=0, clusters=np.concatenate(groups))
