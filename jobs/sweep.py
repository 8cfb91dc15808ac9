"""Train many times with other settings, and keep the best: `sweep=` names what is varied, `sweep.job=` which job.

With `experiment=` the training is that of the experiment's step (`step=`, where it trains in several): what it reads of earlier
steps is made first, and its settings are the base that is varied.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from jobs.command_line import help_text, run_job, settings_from
from jobs.pipeline import PipelineJob
from jobs.sweep_trainings import TRAININGS, SweepTrainEmbedder, Swept
from jobs.sweep_words import (
    PLACES,
    belongs,
    first_of,
    recipe_alone,
    recipe_in_pipeline,
    recipe_of_step,
    said_of_training,
    settings_words,
    words_of_sweep,
)
from jobs.train_embedder import TrainEmbedderJob
from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import layered, parse
from ray_pipeline.errors import PipelineError, SettingsError, TrainingError
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.sweeps.step_training import StepTraining, named_step
from ray_pipeline.pipelines.sweeps.sweep import SweepSettings, check, sweep

logger = logging.getLogger("jobs")


def body_of(swept: Swept, chosen_step: StepTraining | None, arguments: Sequence[str]) -> Callable[[Any, Run], None]:
    """What the job does once its settings are checked."""
    kind = swept.training.settings

    def alone(settings: Any, run: Run) -> None:
        base = kind(**{name: getattr(settings, name) for name in kind.model_fields})
        show(sweep(run, swept.training, base, settings.sweep, [recipe_alone(swept.training.job, arguments)]))

    def as_step(settings: Any, run: Run, step: StepTraining) -> None:
        for key in settings.sweep.space:
            step.key(key)  # refuses what the step cannot vary
        logger.info("base: step %s of the experiment", step.name)
        check(swept.training, step_base(kind, step, settings, arguments, run, None), settings.sweep)
        made = step.make(run, "")
        base = step_base(kind, step, settings, arguments, run, made)
        recipes = [recipe_in_pipeline(step, arguments), recipe_of_step(swept.training.job, step, arguments, run, made)]
        show(sweep(run, swept.training, base, settings.sweep, recipes))

    return alone if chosen_step is None else partial(as_step, step=chosen_step)


def step_of(asked: str | None, arguments: Sequence[str]) -> StepTraining | None:
    """The step of the experiment that is swept; None where there is no experiment, or none of its steps trains."""
    if asked is None and not any(word.startswith("experiment=") and word != "experiment=null" for word in arguments):
        return None
    values = settings_from("pipeline", [word for word in settings_words(arguments) if belongs(word, "pipeline", PipelineJob)])
    if values.get("iterations"):
        raise SettingsError(
            "experiment: its trainings stand in iterations, where a sweep cannot change one of them; sweep an experiment with that training among "
            "its steps (experiment=hard_negatives, say)"
        )
    steps = values.get("steps", {})
    name = named_step(steps, asked)
    return None if name is None else StepTraining(name, parse(PipelineJob, values), steps[name])


def step_base(
    kind: type[TrainEmbedderJob],
    step: StepTraining,
    settings: SweepTrainEmbedder,
    arguments: Sequence[str],
    run: Run,
    made: Mapping[str, Artifact] | None,
) -> TrainEmbedderJob:
    """The step's settings, and above them what the command line says of the training. (What it says of data and model is said of
    the pipeline, and the step's own is above that.)"""
    places = {name: getattr(settings, name) for name in PLACES}
    values = layered(step.values(run, made), said_of_training(arguments))
    return parse(kind, {**values, **{name: one.model_dump(mode="json") if name == "cluster" else one for name, one in places.items()}})


def show(swept: Artifact) -> None:
    """The table of the trials, the best, and how to train with its settings."""
    print(swept.file("report.md").read().decode())
    print(f"sweep: {swept.location.uri}")
    best = swept.metrics["best"]
    if best is None:
        raise TrainingError("no trial came to a good end; the report says why of each")
    print(f"best:  trial {best['trial']}, {swept.metrics['objective']} {best['value']:.4f}, settings {swept.file('best.yaml').uri}")


def chosen(arguments: Sequence[str]) -> Swept:
    """The job that the settings name."""
    named = [word for word in settings_words(arguments) if first_of(word) == "sweep"]
    job = settings_from("sweep", named)["sweep"].get("job", SweepSettings.model_fields["job"].default)
    if job not in TRAININGS:
        raise SettingsError(f"sweep.job={job}: no such job to sweep; there are {', '.join(TRAININGS)}")
    return TRAININGS[job]


def run_sweep(arguments: Sequence[str]) -> int:
    """Run it; returns the exit code."""
    try:
        swept = chosen(arguments)
        composed = settings_from("sweep", settings_words(words_of_sweep(swept, None, arguments)))
        step = step_of(composed.get("step"), arguments)
    except PipelineError as problem:
        print(f"\nerror: {problem}", file=sys.stderr)
        return 1
    return run_job("sweep", swept.settings, body_of(swept, step, arguments), words_of_sweep(swept, step, arguments))


if __name__ == "__main__":
    if any(word in ("-h", "--help") for word in sys.argv[1:]):
        print(help_text("sweep", SweepTrainEmbedder))
    else:
        sys.exit(run_sweep(sys.argv[1:]))
