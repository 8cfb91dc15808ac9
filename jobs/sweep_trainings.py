"""The jobs that can be swept: how each trains, what it reads, which figure its trials are compared by.

Another job joins with one entry in `TRAININGS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jobs.command_line import JobSettings
from jobs.train_embedder import TrainEmbedderJob, training_inputs
from ray_pipeline.artifacts import Artifact, Input
from ray_pipeline.config import section, source
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.pipelines.sweeps.sweep import SweepSettings, Training
from ray_pipeline.pipelines.train_embedder import train_embedder, training_reads
from ray_pipeline.placement.tuner import Objective

_RATE: Final = "train.optimizer.lr"


class SweepTrainEmbedder(TrainEmbedderJob):
    sweep: SweepSettings = section(..., "what is varied, and how")
    step: str | None = source(None, "the training step of the experiment that is swept; null: its only one")


def embedder_reads(settings: TrainEmbedderJob, run: Run) -> Mapping[str, Input]:
    return training_reads(training_inputs(settings, run), settings.model, settings.training())


def embedder_trained(settings: TrainEmbedderJob, run: Run) -> Artifact:
    return train_embedder(run, training_inputs(settings, run), settings.model, settings.training(), settings.rows)


def embedder_objective(settings: TrainEmbedderJob) -> Objective | None:
    evaluation = settings.train.evaluation
    return None if evaluation is None else Objective(evaluation.metric, evaluation.greater_is_better)


def embedder_workers(settings: TrainEmbedderJob) -> int:
    return settings.train.distributed.workers


def embedder_idle(settings: TrainEmbedderJob, keys: Sequence[str]) -> Mapping[str, str]:
    """Rates of kinds of parameters that are not trained; the optimizer would refuse them. Where the sweep also varies what is
    trained, all stay: a combination that makes no sense is then the result of its trial."""
    if any(key.partition(".")[0] in ("model", "adaptation") or key == "objective.learnable_temperature" for key in keys):
        return {}
    from ray_pipeline.models.adapters import count_parameters  # loads torch, which settings and --help do not need

    trained = set(count_parameters(settings.model, settings.adaptation).by_kind)
    trained |= {"head"} if settings.objective.learnable_temperature else set()
    listed = ", ".join(sorted(trained))
    rates = {kind: f"{_RATE}_{kind}" for kind in ("lora_a", "lora_b", "embed_tokens", "head")}
    idle = {key: f"the model trains no such parameter (only {listed})" for kind, key in rates.items() if key in keys and kind not in trained}
    own = {kind for kind, key in rates.items() if key in keys} | set(settings.train.optimizer.own_rates())
    if _RATE in keys and trained <= own:
        idle[_RATE] = f"all that is trained ({listed}) has a rate of its own"
    return idle


@dataclass(frozen=True)
class Swept:
    """A job as the command line sweeps it."""

    settings: type[JobSettings]
    training: Training[Any]


TRAININGS: Final[Mapping[str, Swept]] = {
    "train_embedder": Swept(
        SweepTrainEmbedder,
        Training("train_embedder", TrainEmbedderJob, embedder_trained, embedder_reads, embedder_objective, embedder_workers, embedder_idle),
    ),
}
