"""Stage `sweep`: many trainings of one job, each with other settings, and which of them did best.

A trial trains through the job's own stages, so its model is an ordinary artifact of the workspace, and a trial whose model is
there already costs a look. What the stage publishes is

    trials.parquet        a row a trial: number, settings, objective, how it ended, its artifact
    trials/000003.parquet the evaluations of a trial
    report.md             the table of the trials, the best marked
    best.yaml             the best trial's settings as an experiment: a file for configs/experiment
    best_pipeline.yaml    the same for the pipeline whose step was swept

Any job that trains can be swept: a `Training` says what its settings are and how it is run. A collapse or a refused combination
of settings is the result of its trial. What else can end a trial (its process dies) leaves it without one: the stage then
publishes nothing, keeps what ended, and the next start runs what is missing.
"""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

import pyarrow as pa
import yaml
from pydantic import BeforeValidator, model_validator

from ray_pipeline.artifacts import Artifact, Attempt, Input, Workspace
from ray_pipeline.config import Settings, describe, identity, parse, section
from ray_pipeline.errors import PipelineError, SettingsError, TrainingError
from ray_pipeline.pipelines.stage import Done, Outcome, Run, Stage
from ray_pipeline.pipelines.sweeps.book import TrialBook
from ray_pipeline.pipelines.sweeps.proposals import RandomSearch, Search, proposals
from ray_pipeline.pipelines.sweeps.space import Domain, Space, Values, check_space, flat_space, with_values
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.placement.tuner import Asha, Objective, run_trials
from ray_pipeline.reports.sweep import TrialRow, sweep_report

ALGORITHM = 1
logger = logging.getLogger(__name__)
J = TypeVar("J", bound=Settings)


class SweepSettings(Settings):
    """What is varied, how values are chosen, and what is compared."""

    job: str = identity("train_embedder", "the job that trains")
    space: Annotated[dict[str, Domain], BeforeValidator(flat_space)] = identity(
        ..., "what is varied: a setting's key, and its domain (kind: loguniform, uniform, quniform, integers or choice); null takes a key out"
    )
    search: Search = section(RandomSearch(), "how values are chosen")
    scheduler: Asha | None = section(None, "which trials are stopped early; null: none")
    objective: str | None = identity(None, "the figure that trials are compared by, any that evaluations report; null: the training's own")
    greater_is_better: bool | None = identity(None, "whether more of `objective` is better; null: as the training has it")

    @model_validator(mode="after")
    def _says_which_way(self) -> SweepSettings:
        if (self.objective is None) != (self.greater_is_better is None):
            raise ValueError("objective and greater_is_better come together; with neither, the training's evaluation.metric decides")
        return self


@dataclass(frozen=True)
class Training(Generic[J]):
    """A job that can be swept. All of it travels to other processes: functions of modules, no lambdas."""

    job: str
    settings: type[J]
    train: Callable[[J, Run], Artifact]  # the artifact's metrics say `ended`, `why` and `evaluations`
    inputs: Callable[[J, Run], Mapping[str, Input]]  # makes ready what all trials share
    objective: Callable[[J], Objective | None]
    workers: Callable[[J], int]
    idle: Callable[[J, Sequence[str]], Mapping[str, str]]  # of these settings the ones that nothing reads, and why


@dataclass(frozen=True)
class Recipe:
    """The words that the base settings came from, as a command line and an experiment file of a job would say them."""

    job: str
    words: Sequence[str] = ()
    defaults: Sequence[Any] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    file: str = "best.yaml"
    key: Callable[[str], str] = str  # where the job has a setting of the training


def sweep(run: Run, training: Training[J], base: J, settings: SweepSettings, recipes: Sequence[Recipe] = ()) -> Artifact:
    """The sweep's artifact; a killed sweep goes on, and what ended is not run again. The best is written for each of `recipes`."""
    values = base.model_dump(mode="json")
    objective = check(training, base, settings)
    left_out = training.idle(base, list(settings.space))
    for key, why in left_out.items():
        logger.info("left out of the space: %s: %s", key, why)
    settings = settings.model_copy(update={"space": {key: one for key, one in settings.space.items() if key not in left_out}})
    if not settings.space:
        raise SettingsError("sweep.space: nothing is left to vary: " + "; ".join(f"{key}: {why}" for key, why in left_out.items()))
    search = proposals(settings.search, settings.space, greater_is_better=objective.greater_is_better)
    inputs = _inputs(run, training, base, settings.space)
    stage = Stage("sweep", ALGORITHM, {"sweep": settings, "base": base}, inputs)

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        book = TrialBook(attempt, finished, search, objective, afresh=run.force)
        if book.left():
            tracked = run.cluster.model_copy(update={"in_process": "never"})  # Tune hears of a training through Ray Train
            body = _Body(training, values, run.workspace, tracked, run.force, tuple(run.done))
            workers = max(training.workers(one) for one in _edges(training, values, settings.space))
            run_trials(book, body, book.left(), workers, run.cluster, objective, settings.scheduler)
        if book.died:
            raise TrainingError(
                f"trials {', '.join(map(str, book.died))} died (out of memory? fewer at a time need less: cluster.cpus_per_worker); "
                f"the other {len(book.records)} are kept, run the same command again to go on"
            )
        if book.left():  # Tune ends as if it were done when it gets SIGUSR1, which batch systems send
            raise TrainingError(f"broken off with {book.left()} trials to go; those that ended are kept, run the same command again to go on")
        return _publish(attempt, book, objective, left_out, recipes)

    return run.ensure(stage, build)


def check(training: Training[J], base: J, settings: SweepSettings) -> Objective:
    """Refuse what no trial could do, before anything is computed; returns what trials are compared by."""
    check_space(training.settings, base.model_dump(mode="json"), settings.space)
    objective = _objective(training, base, settings)
    proposals(settings.search, settings.space, greater_is_better=objective.greater_is_better)
    return objective


@dataclass(frozen=True)
class _Body(Generic[J]):
    """A trial, in a process of its own."""

    training: Training[J]
    base: Mapping[str, Any]
    workspace: Workspace
    cluster: ClusterSettings
    force: bool
    done: Sequence[Done]  # the stages that all trials share, so that none makes them again

    def __call__(self, number: int, values: Values) -> dict[str, Any]:
        run = Run(self.workspace, self.cluster, self.force, list(self.done))
        try:
            artifact = self.training.train(parse(self.training.settings, with_values(self.base, values)), run)
        except PipelineError as problem:
            return {"ended": "failed", "why": str(problem), "artifact": None}
        found = artifact.metrics
        said = {"ended": found["ended"], "why": found["why"], "artifact": artifact.location.uri}
        return {**said, "evaluations": found["evaluations"], "seconds": artifact.manifest["times"]["seconds"]}


def _objective(training: Training[J], base: J, settings: SweepSettings) -> Objective:
    own = training.objective(base)
    if own is None:
        raise SettingsError("train.evaluation is null, so that nothing tells one trial from another; let the training evaluate")
    if settings.objective is None or settings.greater_is_better is None:
        return own
    return Objective(settings.objective, settings.greater_is_better)


def _edges(training: Training[J], base: Mapping[str, Any], space: Space) -> list[J]:
    """The base settings, and those with one key at one edge of its domain, where they are possible alone."""
    found = [parse(training.settings, base)]
    for key, domain in space.items():
        for edge in domain.edges():
            try:
                found.append(parse(training.settings, with_values(base, {key: edge})))
            except SettingsError:
                continue  # possible only with other values of other keys, if at all: the trial that draws it will say
    return found


def _inputs(run: Run, training: Training[J], base: J, space: Space) -> dict[str, Input]:
    """What the base settings read, and what each choice of a setting that names a source reads instead."""
    found = dict(training.inputs(base, run))
    values = base.model_dump(mode="json")
    sources = {one.key for one in describe(training.settings) if one.role == "source"}
    for key in sources & set(space):
        for edge in space[key].edges():
            chosen = training.inputs(parse(training.settings, with_values(values, {key: edge})), run)
            found |= {f"{name} ({key}={edge})": given for name, given in chosen.items() if found.get(name) != given}
    return found


def _publish(attempt: Attempt, book: TrialBook, objective: Objective, left_out: Mapping[str, str], recipes: Sequence[Recipe]) -> Outcome:
    trials, best = book.trials(), book.best()
    book.adopt()
    attempt.write_table("trials.parquet", _table(trials))
    command = "" if best is None or not recipes else best_command(recipes[0], best.values)
    report = sweep_report(trials, objective.name, None if best is None else best.number, left_out, command)
    attempt.write("report.md", report.encode())
    if best is not None:
        for recipe in recipes:
            attempt.write(recipe.file, best_experiment(recipe, best, objective.name).encode())
    ends = [one.ended for one in trials]
    metrics: dict[str, Any] = {
        "objective": objective.name,
        "ended": {end: ends.count(end) for end in sorted(set(ends))},
        "left_out": dict(left_out),
        "best": None if best is None else {"trial": best.number, "value": best.best, "values": dict(best.values), "artifact": best.artifact},
        "command": command,
    }
    return Outcome(len(trials), metrics)


def best_command(recipe: Recipe, values: Values) -> str:
    """The command line that trains with these values; where the workspace is the same, it finds the trial's model done."""
    words = [*recipe.words, *(f"{recipe.key(key)}={_word(value)}" for key, value in values.items())]
    return " ".join(["python -m", f"jobs.{recipe.job}", *map(shlex.quote, words)])


def best_experiment(recipe: Recipe, best: TrialRow, objective: str) -> str:
    """The same as an experiment file."""
    head = [
        "# @package _global_",
        f"# Trial {best.number} of a sweep: {objective} {best.best:.6g} at step {best.best_step}. As configs/experiment/<name>.yaml it is run by",
        f"#   python -m jobs.{recipe.job} experiment=<name>",
    ]
    content: dict[str, Any] = {"defaults": list(recipe.defaults)} if recipe.defaults else {}
    content |= with_values(recipe.settings, {recipe.key(key): value for key, value in best.values.items()})
    return "\n".join([*head, yaml.safe_dump(content, sort_keys=False, allow_unicode=True)])


def _word(value: Any) -> str:
    """A value as Hydra's command line reads it: JSON, but keys of mappings stand bare."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_word(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_word, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _table(trials: Sequence[TrialRow]) -> pa.Table:
    """A row a trial; values as JSON, since one column may hold numbers, texts and whole sections."""
    keys = list(trials[0].values) if trials else []
    columns: dict[str, Any] = {"trial": pa.array([one.number for one in trials], pa.int64())}
    columns |= {key: pa.array([json.dumps(one.values[key]) for one in trials], pa.string()) for key in keys}
    figures = {"best": pa.float64(), "best_step": pa.int64(), "last": pa.float64(), "last_step": pa.int64(), "seconds": pa.float64()}
    columns |= {name: pa.array([getattr(one, name) for one in trials], kind) for name, kind in figures.items()}
    columns |= {name: pa.array([getattr(one, name) for one in trials], pa.string()) for name in ("ended", "why", "artifact")}
    return pa.table(columns)
