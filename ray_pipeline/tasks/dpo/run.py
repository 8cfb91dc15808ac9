"""One preference optimisation on one rank, from its pairs to the exported model; `tasks/run.py` has what it shares with other trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact, load
from ray_pipeline.data.pair_rows import PairRows, pair_rows
from ray_pipeline.data.preferences.mixture import Mixture
from ray_pipeline.data.reference_rows import reference_sums
from ray_pipeline.evaluation.live_preferences import LivePreferences
from ray_pipeline.models.adapters import training_weights
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.tasks.dpo.batches import PairMaker
from ray_pipeline.tasks.dpo.reference import Reference, WithoutAdapter
from ray_pipeline.tasks.dpo.settings import DpoTraining
from ray_pipeline.tasks.dpo.task import DpoTask
from ray_pipeline.tasks.run import Company, Report, RunPlace, Say, Surroundings, train_and_export
from ray_pipeline.tasks.sft.run import begun, check_lengths
from ray_pipeline.tasks.step_memory import policy_memory
from ray_pipeline.tasks.trained_model import Facts
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.epochs import EpochSource


@dataclass(frozen=True)
class DpoRun:
    """A training, as plain values that travel to another process."""

    model: PolicySettings
    training: DpoTraining
    inputs: Mapping[str, str]  # URIs of artifacts: pairs, and maybe reference
    place: RunPlace

    def __call__(self, group: Group, say: Say, report: Report | None = None) -> dict[str, Any]:
        """What the leader publishes: files, rows, metrics; nothing on the others."""
        training, settings, company = self.training, self.training.train, Company(group, say, report)
        torch.manual_seed(settings.seed)
        policy = begun(self.model, training, str(group.device))
        artifact = load(self.inputs["pairs"], "pairs")
        pairs = pair_rows(artifact, "train")
        for side in (pairs.chosen, pairs.rejected):
            check_lengths(policy, side, artifact.location.uri)
        mixture = Mixture(training.mixture, pairs.sets, settings.seed)
        known, asked = self._references(policy, pairs, group)
        task = DpoTask(policy, training, group, asked, self._evaluation(artifact, policy, asked, group))

        def plan(epoch: int) -> Sequence[NDArray[np.int64]]:
            order = mixture.order(epoch)
            return np.split(order, range(settings.batch_size, len(order), settings.batch_size))

        source = EpochSource(plan, PairMaker(pairs, mixture.weights(), known, group), settings)
        sets = ", ".join(f"{len(rows):,} of {name}" for name, rows in mixture.rows.items())
        described = f"{len(pairs):,} pairs ({sets}) of {len(pairs.chosen.tokens.ids) + len(pairs.rejected.tokens.ids):,} tokens"
        if group.leads:
            say(f"{described}, {source.total_steps():,} steps")
            say(policy_memory(policy, training, group, int(pairs.lengths.max())))
        around = Surroundings(Facts(len(pairs), (described,)), self.place, company, lambda: begun(self.model, training, "cpu"))
        return train_and_export(policy, task, source, training, around)

    def _references(self, policy: Policy, pairs: PairRows, group: Group) -> tuple[NDArray[np.float64] | None, Reference | None]:
        """Sums that are known of all pairs, or whom to ask; neither where the objective knows no reference."""
        training = self.training
        if not training.refers:
            return None, None
        if training.reference == "precomputed":
            return reference_sums(load(self.inputs["reference"], "reference"), "train", pairs), None
        if training.reference == "adapter":
            return None, WithoutAdapter(policy)
        weights = training_weights(training.adaptation, training.train.precision)
        return None, Policy(self.model, str(group.device), weights, packing=training.micro.packing).requires_grad_(False)

    def _evaluation(self, artifact: Artifact, policy: Policy, asked: Reference | None, group: Group) -> LivePreferences | None:
        training, evaluation = self.training, self.training.train.evaluation
        if evaluation is None:
            return None
        pairs = pair_rows(artifact, "eval")
        reference = self._reference_of(pairs, asked, group)
        return LivePreferences(
            pairs,
            reference,
            training.objective,
            training.micro.token_budget,
            group,
            share=evaluation.query_share,
            seed=evaluation.share_seed,
            precision=training.train.precision,
            even_passes=training.train.distributed.strategy == "fsdp",
        )

    def _reference_of(self, pairs: PairRows, asked: Reference | None, group: Group) -> NDArray[np.float64] | None:
        """Of held out pairs, before the first step: then every adapter still changes nothing, and the model is whole on each rank."""
        training = self.training
        if not training.refers:
            return None
        if asked is None:
            return reference_sums(load(self.inputs["reference"], "reference"), "eval", pairs)
        with torch.autocast(group.device.type, torch.bfloat16, enabled=training.train.precision == "bf16"):
            sums = [asked.measure(side, training.micro.token_budget).sums for side in (pairs.chosen, pairs.rejected)]
        return np.stack(sums, axis=1)
