"""A training as a stage: Ray Train's workers run it, and its files become an artifact.

What is expensive to lose lies in checkpoints under the attempt until the artifact is published; then only their weights are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ray_pipeline.artifacts import Artifact, Attempt, File
from ray_pipeline.pipelines.stage import Outcome, Run, Stage
from ray_pipeline.placement.trainer import Worker, run_together
from ray_pipeline.tasks.run import Report, RunPlace, Say
from ray_pipeline.training.checkpoint import Checkpoints
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.settings import TrainSettings
from ray_pipeline.training.trackers import check_trackers

OneRank = Callable[[Group, Say, Report | None], dict[str, Any]]  # a training on one rank; the leader's answer is published


def train_on_workers(run: Run, stage: Stage, settings: TrainSettings, training: Callable[[RunPlace], OneRank]) -> Artifact:
    """The stage's artifact, trained if it is not there; a killed run goes on from its newest checkpoint."""

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        check_trackers(settings.logging.trackers)
        work = _OnWorker(training(RunPlace(attempt.location.uri, attempt.prefix, stage.fingerprint(), run.force)))
        spread = settings.distributed
        answer = run_together(work, spread.workers, run.cluster, least=spread.min_workers)
        for entry in answer["files"]:
            attempt.adopt(entry["name"], File(**entry["file"]))
        return Outcome(answer["rows"], answer["metrics"])

    artifact = run.ensure(stage, build)
    Checkpoints(artifact.location, "").cut_to_weights()  # not before it is published: until then a killed run goes on from them
    return artifact


@dataclass(frozen=True)
class _OnWorker:
    """The training as one of Ray Train's workers runs it."""

    training: OneRank

    def __call__(self, worker: Worker) -> None:
        group = Group(worker.rank, worker.world, torch.device(worker.device))
        worker.answer(self.training(group, worker.say, worker.report))
