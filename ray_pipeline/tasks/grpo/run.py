"""One reinforcement learning on one rank, from its prompts to the exported model; `tasks/run.py` has what it shares with other trainings.

Each rank holds an engine of its own and draws for its share of the prompts.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ray_pipeline.artifacts import load
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form, policy_tokenizer
from ray_pipeline.rollout.pool import opened
from ray_pipeline.rollout.weights import folder_for_weights
from ray_pipeline.storage import Location
from ray_pipeline.tasks.grpo.asking import drawing_of
from ray_pipeline.tasks.grpo.engine_draws import Asked, EngineDraws
from ray_pipeline.tasks.grpo.kept import Kept, kept_files
from ray_pipeline.tasks.grpo.replayed import ReplayedDraws
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.source import Draws, RolloutSource
from ray_pipeline.tasks.grpo.task import GrpoTask
from ray_pipeline.tasks.grpo.unfinished import UnfinishedBatches
from ray_pipeline.tasks.grpo.watch import Watch, thoughts_for
from ray_pipeline.tasks.run import Company, Report, RunPlace, Say, Surroundings, train_and_export
from ray_pipeline.tasks.sft.run import begun
from ray_pipeline.tasks.shuffled import shuffled_batches
from ray_pipeline.tasks.trained_model import Facts
from ray_pipeline.training.distributed import Group


@dataclass(frozen=True)
class GrpoRun:
    """A training, as plain values that travel to another process."""

    model: PolicySettings
    training: GrpoTraining
    form: Form
    inputs: Mapping[str, str]  # URIs of artifacts: chats or tasks, replay
    place: RunPlace

    def __call__(self, group: Group, say: Say, report: Report | None = None) -> dict[str, Any]:
        """What the leader publishes: files, rows, metrics; nothing on the others."""
        training, settings, company = self.training, self.training.train, Company(group, say, report)
        torch.manual_seed(settings.seed)
        with ExitStack() as held:
            policy = begun(self.model, training, str(group.device))
            task = GrpoTask(policy, training, group, self._reference(group))
            draws, prompts = self._draws(task, group, held, say if group.leads else _unheard)
            place = Location.of(self.place.artifact)
            watch = Watch(training.watch, thoughts_for(training.advantage, training.reward), say if group.leads else _unheard)
            unfinished = UnfinishedBatches(place, self.place.prefix, group.rank)
            ahead, drops = training.draw.ahead, training.draw.in_flight == "drop"
            source = RolloutSource(self._plan(prompts), draws, settings, group, watch, training.updates, unfinished, ahead, drops)
            described = f"{prompts:,} prompts, {training.draw.rollouts} rollouts of each"
            if group.leads:
                say(f"{described}, {source.total_steps():,} steps")
            around = Surroundings(Facts(prompts, (described,)), self.place, company, lambda: begun(self.model, training, "cpu"))
            answer = train_and_export(policy, task, source, training, around)
            return {**answer, "files": answer["files"] + kept_files(place)} if group.leads else answer

    def _draws(self, task: GrpoTask, group: Group, held: ExitStack, say: Say) -> tuple[Draws[Asked], int]:
        """Who draws, and how many prompts there are to draw for."""
        training = self.training
        if "replay" in self.inputs:
            kept = load(self.inputs["replay"], "policy")
            return ReplayedDraws(kept, task, training, group), int(kept.manifest["rows"])
        drawing = drawing_of(self.inputs, self.model, self.form, training, held, say)
        folder = folder_for_weights()
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        engine = opened(self.model, training.engine, training.engines, group.device.type)
        held.callback(engine.close)
        tokenizer = policy_tokenizer(task.model.files.folder, task.model.settings)
        place = Kept(Location.of(self.place.artifact), self.place.prefix, tokenizer.decode)
        return EngineDraws(engine, task, drawing, training, folder, place, group), len(drawing)

    def _plan(self, prompts: int) -> Any:
        settings = self.training.train

        def plan(epoch: int) -> Sequence[NDArray[np.int64]]:
            return shuffled_batches(prompts, settings.batch_size, settings.seed, epoch)

        return plan

    def _reference(self, group: Group) -> Policy | None:
        if self.training.reference != "copy":
            return None
        return Policy(self.model, str(group.device)).requires_grad_(False)


def _unheard(line: str) -> None:
    """The other ranks would say the same."""
