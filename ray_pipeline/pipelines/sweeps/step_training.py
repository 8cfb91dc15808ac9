"""A training step of a pipeline as a training of its own, so that it can be swept.

A step says what differs from its pipeline: its model may be that of an earlier step, its negatives may have been mined by one.
Here the steps it reads are done, as the pipeline would do them, and what they gave is written into settings that stand alone.
Model and evaluation are then those of the step itself: trained with the same settings, both name one artifact.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ray_pipeline.artifacts import Artifact
from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.chain import BASE, Chain
from ray_pipeline.pipelines.plan import PipelineSettings, run_steps
from ray_pipeline.pipelines.prepare import prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.steps import TrainEmbedderStep, uses

KIND = "train_embedder"


def named_step(steps: Mapping[str, Mapping[str, Any]], asked: str | None) -> str | None:
    """Which of the steps, as they were composed, is meant: the one that was asked for, else the only one that trains; None where
    none trains and none was asked for."""
    training = [name for name, step in steps.items() if step.get("kind") == KIND]
    if asked is None and len(training) > 1:
        raise SettingsError(f"step: the experiment trains in {', '.join(training)}; say which of these is swept: step={training[-1]}")
    if asked is not None and asked not in training:
        near = difflib.get_close_matches(asked, training, n=1)
        there = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(training)}" if training else "none of its steps trains"
        raise SettingsError(f"step={asked}: the experiment has no such training step; {there}")
    return asked or next(iter(training), None)


@dataclass(frozen=True)
class StepTraining:
    """A step, the settings of its pipeline, and the step as its file has it."""

    name: str
    pipeline: PipelineSettings
    raw: Mapping[str, Any]

    @property
    def step(self) -> TrainEmbedderStep:
        found = self.pipeline.steps[self.name]
        if not isinstance(found, TrainEmbedderStep):
            raise SettingsError(f"step={self.name}: this is a step of kind {found.kind!r}, which does not train")
        return found

    def before(self) -> PipelineSettings:
        """The pipeline cut down to the steps that this one needs."""
        needed: set[str] = set()
        for name in reversed(self.pipeline.steps):
            if name == self.name or name in needed:
                needed |= {other for _, other in uses(self.pipeline.steps[name])}
        return self.pipeline.model_copy(update={"steps": {name: step for name, step in self.pipeline.steps.items() if name in needed}})

    def make(self, run: Run, command: str) -> dict[str, Artifact]:
        """What the steps before it give."""
        return {one.name: one.artifact for one in run_steps(run, self.before(), command)}

    def values(self, run: Run, made: Mapping[str, Artifact] | None) -> dict[str, Any]:
        """Settings of the job train_embedder. Before anything is made, names of steps stand for their artifacts."""
        step = self.step
        chain = Chain(run, self.pipeline, {} if made is None else made, "")
        reading = step if made is not None or step.model == BASE else step.model_copy(update={"model": BASE})
        own = reading.own(chain)
        return {
            "data": own.data.model_dump(mode="json"),
            "model": own.model.model_dump(mode="json"),
            "rows": step.rows.model_dump(mode="json"),
            **self._given(run, made),
            **step.training.model_dump(mode="json"),
        }

    def written(self, run: Run, made: Mapping[str, Artifact]) -> dict[str, Any]:
        """The same as an experiment file would say it, beside that of the pipeline: only what differs."""
        step = self.step
        model = dict(step.embedder) if step.model == BASE else self.values(run, made)["model"]
        parts = {"data": dict(step.data), "model": model, "rows": dict(self.raw.get("rows", {}))}
        return {**{name: part for name, part in parts.items() if part}, **self._given(run, made), **self.raw.get("training", {})}

    def _given(self, run: Run, made: Mapping[str, Artifact] | None) -> dict[str, str]:
        """The artifacts that are trained on, and evaluated, by field."""
        names = {field: getattr(self.step, field) for field in ("groups", "pseudo")}
        given = {field: name if made is None else made[name].location.uri for field, name in names.items() if name is not None}
        if self.step.data and made is not None:  # evaluated is the pipeline's own data, whatever a step trains on
            given["evaluated"] = prepare(run, self.pipeline.data).artifact.location.uri
        return given

    def key(self, key: str) -> str:
        """Where the pipeline has a setting of the training."""
        first, _, rest = key.partition(".")
        fixed = first in ("groups", "pseudo", "evaluated") or (first == "model" and self.step.model != BASE)
        if fixed:
            raise SettingsError(
                f"sweep.space: {key} is given by the pipeline, so that step {self.name} cannot vary it; take it out: sweep.space.{key}=null"
            )
        beside = {"model": "embedder", "data": "data", "rows": "rows"}
        if first not in beside:
            return f"steps.{self.name}.training.{key}"
        return ".".join(["steps", self.name, beside[first], *([rest] if rest else [])])
