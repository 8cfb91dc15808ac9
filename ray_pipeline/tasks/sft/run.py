"""One fine-tuning on one rank, from its tokens to the exported model; `tasks/run.py` has what it shares with other trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ray_pipeline.artifacts import load
from ray_pipeline.data.token_rows import token_rows
from ray_pipeline.errors import SettingsError
from ray_pipeline.evaluation.live_likelihood import LiveLikelihood
from ray_pipeline.models.adapters import trainable_policy
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.run import Company, Report, RunPlace, Say, Surroundings, train_and_export
from ray_pipeline.tasks.sft.settings import SftTraining
from ray_pipeline.tasks.sft.task import SftTask
from ray_pipeline.tasks.shuffled import shuffled_batches
from ray_pipeline.tasks.step_memory import policy_memory
from ray_pipeline.tasks.trained_model import Facts
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.epochs import EpochSource


@dataclass(frozen=True)
class SftRun:
    """A training, as plain values that travel to another process."""

    model: PolicySettings
    training: SftTraining
    inputs: Mapping[str, str]  # URIs of artifacts: tokens
    place: RunPlace

    def __call__(self, group: Group, say: Say, report: Report | None = None) -> dict[str, Any]:
        """What the leader publishes: files, rows, metrics; nothing on the others."""
        training, settings, company = self.training, self.training.train, Company(group, say, report)
        torch.manual_seed(settings.seed)
        policy = begun(self.model, training, str(group.device))
        tokens = load(self.inputs["tokens"], "tokens")
        rows = token_rows(tokens, "train")
        check_lengths(policy, rows, tokens.location.uri)
        task = SftTask(policy, training, group, self._evaluation(tokens, group))

        def plan(epoch: int) -> Sequence[NDArray[np.int64]]:
            return shuffled_batches(len(rows), settings.batch_size, settings.seed, epoch)

        def make(chosen: NDArray[np.int64], epoch: int) -> LearnedTokens:
            return rows.take(chosen[group.share(len(chosen))])

        source = EpochSource(plan, make, settings)
        learned = int(rows.targets().sum())
        described = f"{len(rows):,} conversations of {len(rows.tokens.ids):,} tokens, {learned:,} of them learned"
        if group.leads:
            say(f"{described}, {source.total_steps():,} steps")
            say(policy_memory(policy, training, group, int(rows.tokens.lengths.max())))
        around = Surroundings(Facts(len(rows), (described,)), self.place, company, lambda: begun(self.model, training, "cpu"))
        return train_and_export(policy, task, source, training, around)

    def _evaluation(self, tokens: Any, group: Group) -> LiveLikelihood | None:
        training, evaluation = self.training, self.training.train.evaluation
        if evaluation is None:
            return None
        return LiveLikelihood(
            token_rows(tokens, "eval"),
            training.micro.token_budget,
            group,
            share=evaluation.query_share,
            seed=evaluation.share_seed,
            precision=training.train.precision,
            even_passes=training.train.distributed.strategy == "fsdp",
        )


def begun(model: PolicySettings, training: SftTraining | DpoTraining | GrpoTraining, device: str) -> Policy:
    """The policy before its first step."""
    settings = training.train
    return trainable_policy(
        model,
        training.adaptation,
        device,
        settings.precision,
        packing=training.micro.packing,
        gradient_checkpointing=settings.gradient_checkpointing,
        seed=settings.seed,
    )


def check_lengths(policy: Policy, rows: LearnedTokens, where: str) -> None:
    """Refuse conversations that have more tokens than the model has positions."""
    longest, most = int(rows.tokens.lengths.max()), policy.most_tokens
    if most is not None and longest > most:
        told = f"{where}: the longest conversation has {longest:,} tokens, and the model {most:,} positions"
        raise SettingsError(f"{told}; set render.max_length={most}, and render.too_long")
