"""A step on rollouts: the gradient written out rollout by rollout, whatever packs; what EGPO is told; what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from ray_pipeline.config import parse
from ray_pipeline.errors import DataError
from ray_pipeline.models.adapters import trainable_policy
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.task import GrpoTask
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end
from ray_pipeline.training.distributed import Group
from tests.chat_models import save_tiny_decoder

LORA = {"kind": "lora", "rank": 2, "dropout": 0.0}
CASES: dict[str, dict[str, Any]] = {
    "clipped": {},
    "small packs": {"micro": {"token_budget": 24}},
    "clip higher, by rollout": {"loss": {"clip_high": 0.4, "average": "sequence_mean"}},
    "constant, entropy": {"loss": {"average": "constant", "longest": 32, "entropy_weight": 0.1}},
    "gspo": {"loss": {"kind": "gspo", "clip_low": 0.05, "clip_high": 0.05, "average": "sequence_mean"}},
    "cispo, masked": {"loss": {"kind": "cispo", "mismatch": {"kind": "mask", "most": 1.3, "least": 0.8}}},
    "copy": {"reference": "copy", "loss": {"kl": "k3", "kl_weight": 0.2}},
    "adapter": {"adaptation": LORA, "reference": "adapter", "loss": {"kl": "k2", "kl_weight": 0.5}},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_decoder(tmp_path_factory.mktemp("tiny"), positions=256)


def rollouts(seed: int = 0) -> RolloutBatch:
    """Three prompts of 12, 3 and 7 tokens with two to four answers; one answer has the environment's words in its midst."""
    generator = np.random.default_rng(seed)
    rows, learned, groups = [], [], []
    for number, (length, answers) in enumerate(((12, 3), (3, 4), (7, 2))):
        prompt = generator.integers(0, 300, length).tolist()
        for answer in range(answers):
            own = int(generator.integers(1, 11)) + (6 if answer == 0 else 0)
            rows.append([*prompt, *generator.integers(0, 300, own).tolist()])
            flags = np.arange(length + own) >= length
            if answer == 0:
                flags[length + 2 : length + 5] = False
            learned.append(flags)
            groups.append(number)
    held = LearnedTokens(end_to_end(rows), np.concatenate(learned))
    targets = int(held.targets().sum())
    return RolloutBatch(
        rows=held,
        groups=np.array(groups),
        advantages=generator.normal(size=len(rows)).astype(np.float32),
        engine=np.zeros(targets, dtype=np.float32),
    )


def drawn_before(batch: RolloutBatch, policy: Policy) -> RolloutBatch:
    """The batch as a policy a little different from this one drew it, and as an engine saw that."""
    task = GrpoTask(policy, parse(GrpoTraining, {}), Group())
    now, _ = task.likelihoods(batch)
    generator = np.random.default_rng(9)
    old = (now + 0.2 * generator.normal(size=len(now))).astype(np.float32)
    return RolloutBatch(batch.rows, batch.groups, batch.advantages, (old + 0.1 * generator.normal(size=len(now))).astype(np.float32), old)


def policy_of(model: Path, settings: GrpoTraining) -> Policy:
    policy = trainable_policy(PolicySettings(name=str(model)), settings.adaptation)
    if settings.adaptation.kind == "lora":
        generator = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for name, weight in policy.backbone.named_parameters():
                if "lora_B" in name:
                    weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)
    return policy


def logits(policy: Policy, ids: Tensor) -> Tensor:
    found: Tensor = policy.backbone(input_ids=ids[None], position_ids=torch.arange(len(ids))[None], segments=(len(ids),)).logits[0].float()
    return found.log_softmax(-1)


def written_out(policy: Policy, batch: RolloutBatch, settings: GrpoTraining, reference: Policy | None) -> Tensor:
    """The loss by its definition: every rollout alone, token by token."""
    loss, chosen = settings.loss, settings.loss.mismatch
    total, offsets, at = torch.zeros(()), batch.rows.tokens.offsets, 0
    assert batch.old is not None
    for row in range(len(batch)):
        ids = torch.from_numpy(batch.rows.tokens.ids[offsets[row] : offsets[row + 1]].astype(np.int64))
        places = np.flatnonzero(batch.rows.learned[offsets[row] : offsets[row + 1]])
        told = logits(policy, ids)
        beside = None
        if settings.reference == "adapter":
            with policy.backbone.disable_adapter(), torch.no_grad():
                beside = logits(policy, ids)
        elif reference is not None:
            with torch.no_grad():
                beside = logits(reference, ids)
        old, engine = (torch.from_numpy(values[at : at + len(places)]) for values in (batch.old, batch.engine))
        logp = torch.stack([told[place - 1, ids[place]] for place in places])
        at += len(places)
        advantage = float(batch.advantages[row])
        mean = (logp - old).mean().exp()
        drift = (old - engine).mean().exp()
        for number, place in enumerate(places):
            ratio = mean if loss.kind == "gspo" else (logp[number] - old[number]).exp()
            kept = ratio.clamp(1 - loss.clip_low, 1 + loss.clip_high)
            term = -torch.minimum(ratio * advantage, kept * advantage)
            if loss.kind == "cispo":
                term = -kept.detach() * advantage * logp[number]
            correction = (old[number] - engine[number]).exp().clamp(max=chosen.most)
            term = term * (correction if chosen.kind == "truncate" else float(chosen.least <= drift <= chosen.most))
            if beside is not None:
                difference = beside[place - 1, ids[place]] - logp[number]
                term = term + loss.kl_weight * (difference.square() / 2 if loss.kl == "k2" else difference.exp() - difference - 1)
            entropy = -(told[place - 1].exp() * told[place - 1]).sum()
            term = term - loss.entropy_weight * entropy
            weight = {"token_mean": 1.0, "sequence_mean": 1 / len(places), "constant": 1 / (loss.longest or 1)}[loss.average]
            total = total + weight * term
    return total / (at if loss.average == "token_mean" else len(batch))


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_the_one_written_out(case: str, model: Path) -> None:
    settings = parse(GrpoTraining, CASES[case])
    policy = policy_of(model, settings)
    batch = drawn_before(rollouts(), policy)
    reference = None
    if settings.reference == "copy":
        reference = Policy(PolicySettings(name=str(model))).requires_grad_(False)
        with torch.no_grad():
            for weight in reference.parameters():
                weight.mul_(1.02)
    expected = written_out(policy, batch, settings, reference)
    expected.backward()  # type: ignore[no-untyped-call]
    theirs = {name: one.grad.clone() for name, one in policy.named_parameters() if one.grad is not None}
    policy.zero_grad()
    task = GrpoTask(policy, settings, Group(), reference)
    sums = task.backward(batch, 1 / task.count(batch), sync=True)
    assert sums["loss"] / task.count(batch) == pytest.approx(float(expected.detach()), abs=1e-5)
    assert theirs
    for name, one in policy.named_parameters():
        if one.grad is not None:
            torch.testing.assert_close(one.grad, theirs[name], atol=1e-5, rtol=1e-4)
    assert 0.5 < sums["ratio"] / task.count(batch) < 2 and sums["mismatch_kl"] > 0 and sums["entropy"] > 0


@pytest.mark.parametrize("average", [{}, {"average": "sequence_mean"}, {"average": "constant", "longest": 32}])
def test_figures_are_means_over_tokens_however_the_loss_is_averaged(average: dict[str, Any], model: Path) -> None:
    settings = parse(GrpoTraining, {"loss": average, "micro": {"token_budget": 24}})
    policy = policy_of(model, settings)
    batch = drawn_before(rollouts(), policy)
    thought = np.random.default_rng(3).random(len(batch.engine)) < 0.3
    task = GrpoTask(policy, settings, Group())
    now, entropy = task.likelihoods(batch)
    assert batch.old is not None
    drift = batch.old - batch.engine
    sums = task.backward(replace(batch, thought=thought, figures={"rollout_seconds": 1e6}), 1.0, sync=True)
    means = {name: value / task.count(batch) for name, value in sums.items()}
    assert means["ratio"] == pytest.approx(float(np.exp(now - batch.old).mean()), rel=1e-4)
    assert means["mismatch_kl"] == pytest.approx(float((np.exp(drift) - drift - 1).mean()), rel=1e-3)
    assert means["entropy"] == pytest.approx(float(entropy.mean()), rel=1e-4)
    assert means["entropy_thought"] == pytest.approx(float(entropy[thought].mean()), rel=1e-4)
    assert means["update_tokens_per_second"] > 0 and 0.99 < means["rollout_share"] < 1
    without = task.backward(batch, 1.0, sync=True)
    assert without["entropy_thought"] == 0.0 and set(without) | {"rollout_seconds"} == set(sums)


def test_without_an_older_policy_the_ratio_is_one(model: Path) -> None:
    settings = parse(GrpoTraining, {})
    policy = policy_of(model, settings)
    batch = rollouts()
    now, entropy = GrpoTask(policy, settings, Group()).likelihoods(batch)
    batch = RolloutBatch(batch.rows, batch.groups, batch.advantages, now)
    sums = GrpoTask(policy, settings, Group()).backward(batch, 1.0, sync=True)
    assert sums["ratio"] == pytest.approx(len(now), rel=1e-5)
    assert (sums["clipped_low"], sums["clipped_high"]) == (0.0, 0.0)
    assert sums["mismatch_kl"] == pytest.approx(0.0, abs=1e-4)
    assert sums["entropy"] == pytest.approx(float(entropy.sum()), rel=1e-4)


def test_an_idle_batch_moves_nothing_and_has_the_same_figures(model: Path) -> None:
    settings = parse(GrpoTraining, {})
    policy = policy_of(model, settings)
    batch = replace(rollouts(), idle=True, figures={"reward": 0.5})
    task = GrpoTask(policy, settings, Group())
    sums = task.backward(batch, 1.0, sync=True)
    assert task.count(batch) == 0
    assert all(not one.grad.any() for one in policy.parameters() if one.grad is not None)
    busy = replace(rollouts(), figures={"reward": 0.5})
    told = GrpoTask(policy, settings, Group()).backward(busy, 1.0, sync=True)
    assert set(sums) == set(told) and told["reward"] == 0.5 * len(busy.engine)
    assert sums["loss"] == sums["ratio"] == 0.0


def test_means_by_rollout() -> None:
    """For EGPO: of the thought's tokens alone, nothing where there is no thought."""
    held = LearnedTokens(end_to_end([[1, 2, 3, 4], [1, 5], [1, 6, 7]]), np.array([False, True, True, True, False, True, False, True, True]))
    batch = RolloutBatch(held, np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.float32), np.zeros(6, dtype=np.float32))
    values = np.array([1.0, 2.0, 9.0, 4.0, 5.0, 6.0], dtype=np.float32)
    among = np.array([True, True, False, False, False, True])
    assert batch.mean_by_rollout(values, among).tolist() == [1.5, 0.0, 6.0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reference": "copy"}, "a reference is for the KL"),
        ({"loss": {"kl": "k3", "kl_weight": 0.1}}, "a reference is for the KL"),
        ({"reference": "adapter", "loss": {"kl": "k3", "kl_weight": 0.1}}, "adaptation.kind=full has none"),
        ({"micro": {"packing": False}}, "rollouts share their prompt in packs"),
        ({"train": {"distributed": {"strategy": "fsdp"}}, "adaptation": LORA}, "adapters are merged for the engine"),
        ({"engine": {"sleeps": True}, "draw": {"ahead": 1}}, "has no time to sleep"),
        ({"engine": {"sleeps": True}, "engines": {"apart": True}}, "has no time to sleep"),
        ({"reward": {"parts": {"task": {"kind": "task"}}}}, "what an environment says, and"),
        ({"environment": {"kind": "bank"}}, "a task in an environment has none; take kind=task"),
        ({"environment": {"kind": "own"}}, "a class is given with kind=own"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GrpoTraining.model_validate(given)


def test_likelihoods_of_other_tokens_are_refused() -> None:
    batch = rollouts()
    with pytest.raises(DataError, match=r"engine: 3 log-likelihoods of \d+ generated tokens"):
        RolloutBatch(batch.rows, batch.groups, batch.advantages, batch.engine[:3])
    with pytest.raises(DataError, match=r"thought: 2 marks of \d+ generated tokens"):
        replace(batch, thought=np.zeros(2, dtype=np.bool_))
