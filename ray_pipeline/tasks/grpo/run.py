"""One reinforcement learning on one rank, from its prompts to the exported model; `tasks/run.py` has what it shares with other trainings.

Each rank holds an engine of its own and draws for its share of the prompts.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ray_pipeline.artifacts import load
from ray_pipeline.data.rows import Rows
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import Form, policy_tokenizer, renderer_of
from ray_pipeline.models.source import locate
from ray_pipeline.rollout.drawing import Prompt, prompts_of
from ray_pipeline.rollout.engine import Engine
from ray_pipeline.rollout.rewards.judge import Judge
from ray_pipeline.rollout.weights import folder_for_weights
from ray_pipeline.storage import Location
from ray_pipeline.tasks.grpo.engine_draws import EngineDraws, Kept
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.source import RolloutSource
from ray_pipeline.tasks.grpo.task import GrpoTask
from ray_pipeline.tasks.run import Company, Report, RunPlace, Say, Surroundings, train_and_export
from ray_pipeline.tasks.sft.run import begun
from ray_pipeline.tasks.shuffled import shuffled_batches
from ray_pipeline.tasks.trained_model import Facts
from ray_pipeline.text.chat.rendering import MaskSettings
from ray_pipeline.training.distributed import Group


@dataclass(frozen=True)
class GrpoRun:
    """A training, as plain values that travel to another process."""

    model: PolicySettings
    training: GrpoTraining
    form: Form
    inputs: Mapping[str, str]  # URIs of artifacts: chats
    place: RunPlace

    def __call__(self, group: Group, say: Say, report: Report | None = None) -> dict[str, Any]:
        """What the leader publishes: files, rows, metrics; nothing on the others."""
        training, settings, company = self.training, self.training.train, Company(group, say, report)
        torch.manual_seed(settings.seed)
        prompts = self._prompts()
        with Judge(training.reward) as judge:  # a reward that cannot be loaded is told of before any engine starts
            policy = begun(self.model, training, str(group.device))
            task = GrpoTask(policy, training, group, self._reference(group))
            folder = folder_for_weights()
            engine = Engine(self.model, training.engine, group.device.type, takes_weights=True)
            try:
                tokenizer = policy_tokenizer(policy.files.folder, policy.settings)
                kept = Kept(Location.of(self.place.artifact), self.place.prefix)
                draws = EngineDraws(engine, task, prompts, training, judge, tokenizer.decode, folder, kept, group)
                source = RolloutSource(self._plan(len(prompts)), draws, settings, group)
                described = f"{len(prompts):,} prompts, {training.draw.rollouts} rollouts of each"
                if group.leads:
                    say(f"{described}, {source.total_steps():,} steps")
                around = Surroundings(Facts(len(prompts), (described,)), self.place, company, lambda: begun(self.model, training, "cpu"))
                answer = train_and_export(policy, task, source, training, around)
                return {**answer, "files": answer["files"] + kept.files()} if group.leads else answer
            finally:
                engine.close()
                shutil.rmtree(folder, ignore_errors=True)

    def _prompts(self) -> list[Prompt]:
        """What is asked, refused where a prompt and its answer may be longer than the engine holds."""
        rows = Rows.of(load(self.inputs["chats"], "chats"), "train/").table()
        renderer = renderer_of(locate(self.model.name, self.model.revision).folder, self.model, MaskSettings(), self.form)
        prompts = prompts_of(rows.to_pylist(), renderer, self.training.draw.replies)
        most, longest = self.training.engine.max_length, max(prompts, key=lambda one: len(one.ids))
        if most is not None and len(longest.ids) + self.training.draw.max_tokens > most:
            raise SettingsError(
                f"conversation {longest.prompt_id}: its prompt has {len(longest.ids):,} tokens, which with draw.max_tokens="
                f"{self.training.draw.max_tokens} are more than engine.max_length={most:,}; raise that, or leave out longer conversations"
            )
        return prompts

    def _plan(self, prompts: int) -> Any:
        settings = self.training.train

        def plan(epoch: int) -> Sequence[NDArray[np.int64]]:
            return shuffled_batches(prompts, settings.batch_size, settings.seed, epoch)

        return plan

    def _reference(self, group: Group) -> Policy | None:
        if self.training.reference != "copy":
            return None
        return Policy(self.model, str(group.device)).requires_grad_(False)
