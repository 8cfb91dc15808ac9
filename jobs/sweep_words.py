"""The words of a sweep's command line: which are the sweep's, which the pipeline's, which the training's, and how the best trial
is said in the words of a job alone, or of the pipeline whose step was swept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hydra.core.override_parser.overrides_parser import OverridesParser

from jobs.command_line import JobSettings, groups_of
from jobs.pipeline import PipelineJob
from jobs.sweep_trainings import Swept
from jobs.train_embedder import TrainEmbedderJob
from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import layered
from ray_pipeline.pipelines.chain import BASE
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.sweeps.step_training import StepTraining
from ray_pipeline.pipelines.sweeps.sweep import Recipe

PLACES: Final = ("workspace", "cluster", "log", "force")  # where it runs is no part of an experiment
_OF_SWEEP: Final = ("sweep", "step")


def settings_words(arguments: Sequence[str]) -> list[str]:
    """The settings on the command line, without flags."""
    return [word for word in arguments if "=" in word or word.startswith("~")]


def first_of(word: str) -> str:
    return word.lstrip("+~").partition("=")[0].partition(".")[0]


def belongs(word: str, job: str, kind: type[JobSettings]) -> bool:
    return first_of(word) in {*groups_of(job), *kind.model_fields}


def words_of_sweep(swept: Swept, step: StepTraining | None, arguments: Sequence[str]) -> list[str]:
    """The command line without what only a pipeline has (steps.*, search.*), and without what is said of the training of a step:
    these are checked where they belong."""
    own = [word for word in arguments if belongs(word, "sweep", swept.settings) or not belongs(word, "pipeline", PipelineJob)]
    return [word for word in own if step is None or not _of_training(word)]


def _said(words: Sequence[str]) -> dict[str, Any]:
    """Settings of a command line, nested."""
    settings: dict[str, Any] = {}
    for override in OverridesParser.create().parse_overrides(list(words)):
        _put(settings, str(override.key_or_group).split("."), override.value())
    return settings


def _put(nested: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        nested = nested.setdefault(part, {})
    nested[path[-1]] = value


def _of_training(word: str) -> bool:
    """Whether a word is about the training, and not about what a pipeline has too, or where it runs."""
    return first_of(word) in TrainEmbedderJob.model_fields and not belongs(word, "pipeline", PipelineJob)


def said_of_training(arguments: Sequence[str]) -> dict[str, Any]:
    return _said([word for word in settings_words(arguments) if _of_training(word)])


def _kept(arguments: Sequence[str]) -> list[str]:
    """The words of an experiment: all but those of the sweep and of the place."""
    return [word for word in settings_words(arguments) if first_of(word) not in (*PLACES, *_OF_SWEEP)]


def _defaults(words: Sequence[str], job: str) -> list[Any]:
    """The files that the words name, as the list of defaults of an experiment file."""
    groups = groups_of(job)
    named = [(first_of(word), word.partition("=")[2]) for word in words if word.partition("=")[0] in groups]
    experiments: list[Any] = [f"/experiment/{value}" for key, value in named if key == "experiment"]
    overrides: list[Any] = [{f"override /{key}": value} for key, value in named if key != "experiment"]
    return [*experiments, "_self_", *overrides] if experiments or overrides else []


def _plain(words: Sequence[str], job: str) -> list[str]:
    """The words that are settings, not names of files."""
    return [word for word in words if word.partition("=")[0] not in groups_of(job)]


def recipe_alone(job: str, arguments: Sequence[str]) -> Recipe:
    """A training without a step: its command line is that of its job."""
    words = _kept(arguments)
    return Recipe(job, words, _defaults(words, job), _said(_plain(words, job)))


def recipe_of_step(job: str, step: StepTraining, arguments: Sequence[str], run: Run, made: Mapping[str, Artifact]) -> Recipe:
    """A step as a training alone, with what earlier steps gave."""
    words = _kept(arguments)
    of_job = [word for word in _plain(words, job) if first_of(word) in TrainEmbedderJob.model_fields]
    before = {} if step.step.model != BASE else _said([word for word in of_job if not _of_training(word)])
    settings = layered(layered(before, step.written(run, made)), said_of_training(arguments))
    return Recipe(job, words, _defaults([word for word in words if first_of(word) in groups_of(job)], job), settings)


def recipe_in_pipeline(step: StepTraining, arguments: Sequence[str]) -> Recipe:
    """The pipeline, its step with other settings."""
    words: list[str] = list(_moved(step, _kept(arguments)))
    return Recipe("pipeline", words, _defaults(words, "pipeline"), _said(_plain(words, "pipeline")), "best_pipeline.yaml", step.key)


def _moved(step: StepTraining, words: Sequence[str]) -> Iterator[str]:
    """What is said of the training, said of the pipeline's step."""
    for word in words:
        key, equals, value = word.partition("=")
        yield f"{step.key(key.lstrip('+'))}{equals}{value}" if _of_training(word) else word
