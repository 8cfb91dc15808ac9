"""Learning from rollouts: what did better than its group becomes likelier, token by token (`objectives/policy_gradient.py`).

Rollouts of a prompt go through the model in one pack that holds the prompt once; packs are of a token budget, and how they are cut changes the
last bits only, since the loss is divided by a count of the whole step.
"""

from __future__ import annotations

import time
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ray_pipeline.models.answering import answering
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.objectives.policy_gradient import Tokens, divisor, policy_loss, token_weights
from ray_pipeline.tasks.grpo.batches import MicroBatch, RolloutBatch, Values
from ray_pipeline.tasks.grpo.figures import update_figures
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.model_task import ModelTask
from ray_pipeline.text.shared_prompts import Family
from ray_pipeline.training.distributed import Group, without_sync


class GrpoTask(ModelTask[Policy]):
    """The task of the training loop; a batch is this rank's rollouts. `reference`: whom the policy is kept near to."""

    def __init__(self, policy: Policy, settings: GrpoTraining, group: Group, reference: Policy | None = None) -> None:
        super().__init__(policy)
        self.settings, self.group, self.reference = settings, group, reference

    def count(self, batch: RolloutBatch) -> float:
        return 0.0 if batch.idle else float(divisor(len(batch.engine), len(batch), self.settings.loss))

    def backward(self, batch: RolloutBatch, scale: float, sync: bool) -> dict[str, float]:
        started, (plan, blank) = time.monotonic(), self._passes(batch)
        passes = len(blank) + len(plan)
        per_token, per_thought = self._shares(batch)
        sums: dict[str, float] = {}
        for turn, chosen in enumerate(blank + plan):
            counts, micro = turn >= len(blank) and not batch.idle, batch.micro_batch(chosen)
            reference = self._reference(micro)
            with nullcontext() if sync and turn == passes - 1 else without_sync(self._wrapped):
                tokens = self._tokens(batch, micro, reference)
                loss, figures = policy_loss(tokens, self.settings.loss)
                (loss * (scale if counts else 0.0)).backward()  # type: ignore[no-untyped-call]
            found = {"loss": float(loss.detach()), **{name: float(value) * per_token for name, value in figures.items()}}
            found["entropy_thought"] = _sum_among(tokens.entropy, batch.thinking()[micro.targets]) * per_thought
            for name, value in found.items():  # the same names on every rank
                sums[name] = sums.get(name, 0.0) + (value if counts else 0.0)
        took = update_figures(batch.figures.get("rollout_seconds", 0.0), time.monotonic() - started, len(batch.rows.tokens.ids))
        drawn = {name: mean * self.count(batch) for name, mean in {**batch.figures, **took}.items()}  # the loop divides by the count
        return {**sums, **drawn, "tokens": float(len(batch.rows.tokens.ids))}

    def _passes(self, batch: RolloutBatch) -> tuple[list[list[Family]], list[list[Family]]]:
        """The rollouts of each pass, and of those that are made for nothing: FSDP gathers weights in each pass, so ranks make equally many."""
        plan = batch.plan(self.settings.micro.token_budget)
        passes = self.group.largest(len(plan)) if self.settings.train.distributed.strategy == "fsdp" else len(plan)
        return plan, plan[:1] * (passes - len(plan))

    def _shares(self, batch: RolloutBatch) -> tuple[float, float]:
        """What sums over tokens, and over tokens of thoughts, are multiplied by to be means of their own after the loop has divided all sums by the
        step's count, which is one of rollouts where the loss is averaged over these. Every rank calls it."""
        tokens, thoughts = (0, 0) if batch.idle else (len(batch.engine), int(batch.thinking().sum()))
        total = self.group.sum({"count": self.count(batch), "tokens": tokens, "thoughts": thoughts})
        return total["count"] / max(total["tokens"], 1.0), total["count"] / max(total["thoughts"], 1.0)

    def evaluate(self) -> dict[str, float]:
        return {}

    def likelihoods(self, batch: RolloutBatch) -> tuple[Values, Values]:
        """[targets] how likely the policy finds the batch's tokens as it is now, and the vocabulary's entropy at each: before the batch's first
        update, what ratios are taken to, and what EGPO asks for."""
        found = np.zeros((2, len(batch.engine)), dtype=np.float32)
        plan, blank = self._passes(batch)
        with answering(self.model):
            for chosen in blank + plan:  # what is asked for nothing is asked first, and written over
                micro = batch.micro_batch(chosen)
                with self._precision():
                    found[:, micro.targets] = self.model(*self.model.on_device(micro.packed), entropy=True).float().cpu().numpy()
        return found[0], found[1]

    def _tokens(self, batch: RolloutBatch, micro: MicroBatch, reference: Tensor | None) -> Tokens:
        with self._precision():
            found = self._wrapped(*self.model.on_device(micro.packed), entropy=True)
        logp, entropy = found[0], found[1]
        sequence = torch.from_numpy(micro.packed.rows).to(logp.device)

        def of_targets(values: Values) -> Tensor:
            return torch.from_numpy(values[micro.targets]).to(logp)

        advantages = torch.from_numpy(batch.advantages[micro.members]).to(logp)
        return Tokens(
            sequence=sequence,
            logp=logp,
            old=logp.detach() if batch.old is None else of_targets(batch.old),
            advantage=advantages[sequence],
            weight=token_weights(sequence, self.settings.loss),
            engine=of_targets(batch.engine),
            reference=reference,
            entropy=entropy if self.settings.loss.entropy_weight else entropy.detach(),
        )

    def _reference(self, micro: MicroBatch) -> Tensor | None:
        """[targets] what the reference says of the same tokens."""
        if self.settings.reference == "none":
            return None
        if self.reference is not None:
            return self._asked(self.reference, micro)
        with self.model.backbone.disable_adapter():
            return self._asked(self.model, micro)

    def _asked(self, of: Policy, micro: MicroBatch) -> Tensor:
        with answering(of), self._precision():
            found: Tensor = of(*of.on_device(micro.packed))
        return found.clone()

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.settings.train.precision == "bf16")


def _sum_among(values: Tensor | None, among: NDArray[np.bool_]) -> float:
    return 0.0 if values is None else float(values.detach()[torch.from_numpy(among).to(values.device)].sum())
