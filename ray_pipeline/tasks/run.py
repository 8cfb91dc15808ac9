"""What every training on one rank shares: where it writes, who looks on, the loop, and the whole model at its end.

It needs no Ray. What a rank writes lies under its attempt, so a training may run on any machine that sees the workspace, and again
after it was killed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from ray_pipeline.data.training_batches import BatchRules, plan_epoch
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.models.adapter_files import Adapted
from ray_pipeline.models.trained_weights import load_parameters, parameter_tensors, trained
from ray_pipeline.storage import Location
from ray_pipeline.tasks.any_training import AnyTraining
from ray_pipeline.tasks.trained_model import SHOWN_FIGURES, Facts, TrainedModel
from ray_pipeline.training.checkpoint import Checkpoints
from ray_pipeline.training.console import Console
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.emulated import emulated_bf16
from ray_pipeline.training.epochs import EpochSource
from ray_pipeline.training.loop import Loop
from ray_pipeline.training.observers import ConsoleObserver, Observer, Observers, ReportObserver, TrackerObserver
from ray_pipeline.training.settings import TrainSettings
from ray_pipeline.training.task import Source, Task
from ray_pipeline.training.trackers import open_trackers

Say = Callable[[str], None]
Report = Callable[[Mapping[str, float]], None]
Batch = TypeVar("Batch")
Model = TypeVar("Model", bound=Adapted)


@dataclass(frozen=True)
class RunPlace:
    """Where a training writes, as plain values that travel to another process."""

    artifact: str
    prefix: str
    name: str  # of the run, in trackers
    anew: bool = False  # what earlier attempts left does not count

    def checkpoints(self) -> Checkpoints:
        return Checkpoints(Location.of(self.artifact), self.prefix, self.anew)


@dataclass(frozen=True)
class Company:
    """Who trains along and who listens."""

    group: Group
    say: Say
    report: Report | None = None


@dataclass(frozen=True)
class Surroundings(Generic[Model]):
    """What surrounds a training: what it learns from, where it writes, who looks on, and how a model of its kind is loaded."""

    data: Facts
    place: RunPlace
    company: Company
    plain: Callable[[], Model]  # the model it began with, on the CPU


def epochs_of(
    data: TrainingSet, make: Callable[[NDArray[Any], int], Batch], settings: TrainSettings, rules: BatchRules, company: Company
) -> EpochSource[Batch]:
    """The training set's batches, epoch after epoch; says once if some rows are in none."""
    left_out: list[int] = []  # of each epoch planned so far

    def plan(epoch: int) -> Sequence[NDArray[Any]]:
        planned = plan_epoch(data, settings.batch_size, settings.seed, epoch, rules)
        left_out.append(len(planned.left_out))
        return [planned.batch(number) for number in range(len(planned))]

    source = EpochSource(plan, make, settings)
    if company.group.leads and max(left_out):
        company.say(f"up to {max(left_out):,} of {len(data):,} queries an epoch are in no batch: {_why_left_out(rules)}")
    return source


def train_and_export(model: Model, task: Task[Batch], source: Source[Batch], training: AnyTraining, around: Surroundings[Model]) -> dict[str, Any]:
    """Train the model; what the leader publishes of it: files, rows, metrics; nothing on the others."""
    described, settings, company = training.model_dump(mode="json"), training.train, around.company
    if company.group.leads and settings.precision == "bf16" and company.group.device.type == "cpu" and emulated_bf16():
        company.say("this CPU has no bf16 arithmetic and emulates it, at half the speed of fp32 or less: train.precision=fp32 is faster here")
    observer = _observer(source.total_steps(), settings, described, around.place, company)
    checkpoints = around.place.checkpoints()
    try:
        ending = Loop(task, source, settings, company.group, checkpoints, observer, company.say if company.group.leads else _silent).run()
    finally:
        observer.close()
    whole = _whole_model(model, settings, company.group, around.plain)
    if not company.group.leads:
        return {}
    found = TrainedModel(whole, described, training.export_precision, ending, around.data)
    return {"files": found.write(checkpoints), "rows": around.data.rows, "metrics": found.metrics()}


def _whole_model(model: Model, settings: TrainSettings, group: Group, plain: Callable[[], Model]) -> Model:
    """The trained model, whole in this process; under FSDP the leader gets one of its own (`plain`). Every rank takes part."""
    if settings.distributed.strategy == "ddp":
        return model
    tensors = parameter_tensors(trained(model))
    if not group.leads:
        return model
    found = plain()
    load_parameters(trained(found), tensors, "the trained shards")
    return found


def _observer(total: int, settings: TrainSettings, described: Mapping[str, Any], place: RunPlace, company: Company) -> Observer:
    lookers: list[Observer] = [] if company.report is None else [ReportObserver(company.report)]
    if company.group.leads:
        console = Console(total, settings.logging.console_every, write=company.say)
        lookers.append(ConsoleObserver(console, company.say, str(company.group.device), SHOWN_FIGURES))
        if settings.logging.trackers:
            folder = Location.of(place.artifact) / f"{place.prefix}/logs"
            local = Path(folder.uri) if folder.is_local else Path(tempfile.mkdtemp(prefix="ray_pipeline-logs-"))
            lookers.append(TrackerObserver(open_trackers(settings.logging, local, place.name, described)))
    return Observers(*lookers)


def _why_left_out(rules: BatchRules) -> str:
    causes = ["batches.drop_last leaves out those that are not full"] if rules.drop_last else []
    causes += ["batches.no_duplicates found every batch full or with one of their texts"] if rules.no_duplicates else []
    return "; ".join(causes)


def _silent(line: str) -> None:
    """The other ranks would say the same."""
