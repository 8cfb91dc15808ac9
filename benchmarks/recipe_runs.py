"""Whole recipes run by benchmarks: once a seed, what their evaluating steps measured, and paired comparisons over the seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.command_line import settings_from
from jobs.pipeline import PipelineJob
from ray_pipeline.artifacts import Artifact, Workspace
from ray_pipeline.config import parse
from ray_pipeline.metrics.comparison import Comparison, compare_values
from ray_pipeline.metrics.significance import Interval, bootstrap_ratio
from ray_pipeline.pipelines.plan import run_steps
from ray_pipeline.pipelines.stage import Run

Evaluations = Mapping[str, Artifact]


def run_recipe(label: str, overrides: Sequence[str], each_training: Mapping[str, Any], command: str) -> Evaluations:
    """Run a recipe with `each_training` set in every training, and give what its evaluating steps gave."""
    values = settings_from("pipeline", overrides)
    changes = [f"{key}.training.{name}={value}" for key in _trainings(values) for name, value in each_training.items()]
    settings = parse(PipelineJob, settings_from("pipeline", [*overrides, *changes]))
    found: dict[str, Artifact] = {}
    for done in run_steps(Run(Workspace.at(settings.workspace), settings.cluster), settings, command):
        print(f"{label}: {done.name} in {sum(stage.seconds for stage in done.stages):.0f} s", flush=True)
        if done.step.kind == "evaluate":
            found[done.name] = done.artifact
    return found


def _trainings(values: Mapping[str, Any]) -> Iterator[str]:
    """Where trainings stand in a recipe's settings."""
    loop = values.get("iterations") or {}
    blocks = {"steps": values.get("steps"), **{f"iterations.{part}": loop.get(part) for part in ("first", "each")}}
    for key, block in blocks.items():
        for name, step in (block or {}).items():
            if step["kind"].startswith("train_"):
                yield f"{key}.{name}"


def averaged(runs: Sequence[Evaluations], step: str, measure: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Every judged query's value, the mean of the seeds, and what it belongs to (its question)."""
    tables = [run[step].table("per_query.parquet") for run in runs]
    values = np.mean([table.column(measure).to_numpy() for table in tables], axis=0)
    judged = ~np.isnan(values)
    return values[judged], tables[0].column("group").to_numpy()[judged]


def difference(runs: Sequence[Evaluations], step: str, reference: str, measure: str) -> Comparison:
    """The paired difference of two steps."""
    new, groups = averaged(runs, step, measure)
    return compare_values(measure, new, averaged(runs, reference, measure)[0], seed=0, clusters=groups)


def ratio(runs: Sequence[Evaluations], step: str, reference: str, measure: str) -> Interval:
    """One step's mean over another's, with its interval."""
    new, groups = averaged(runs, step, measure)
    return bootstrap_ratio(new, averaged(runs, reference, measure)[0], seed=0, clusters=groups)


def means(runs: Sequence[Evaluations], step: str, measure: str, group: str | None = None) -> float:
    """The mean of the seeds, of all queries or of a group."""
    found = [run[step].metrics["means"] if group is None else run[step].metrics["groups"][group] for run in runs]
    return float(np.mean([one[measure] for one in found]))
