"""Policy gradients: numbers worked out by hand, parts that add up, and TRL's loss with its gradients."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from ray_pipeline.objectives.policy_gradient import MismatchSettings, PolicyGradientSettings, Tokens, divergence, divisor, policy_loss, token_weights

LENGTHS = (3, 1, 5, 2)


def settings(**given: Any) -> PolicyGradientSettings:
    return PolicyGradientSettings(**given)


def batch(seed: int, chosen: PolicyGradientSettings) -> Tokens:
    generator = torch.Generator().manual_seed(seed)

    def drawn() -> Tensor:
        return -torch.rand(sum(LENGTHS), generator=generator) * 3

    sequence = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS))
    old = drawn()
    advantage = torch.tensor([1.5, -0.5, -1.0, 0.7])[sequence]
    logp = (old + 0.3 * drawn() + 0.4).requires_grad_()
    weights = token_weights(sequence, chosen) / divisor(sum(LENGTHS), len(LENGTHS), chosen)
    return Tokens(sequence, logp, old, advantage, weights, reference=old + 0.2 * drawn())


def test_the_clip_by_hand() -> None:
    """Ratios 1.5 and 0.5: of an advantage of 1 the first stops at 1.2, of -1 the second stops at 0.8."""
    chosen = settings()
    logp = torch.tensor([1.5, 0.5, 1.5, 0.5]).log().requires_grad_()
    advantage = torch.tensor([1.0, 1.0, -1.0, -1.0])
    given = Tokens(torch.arange(4), logp, torch.zeros(4), advantage, torch.full((4,), 0.25))
    loss, sums = policy_loss(given, chosen)
    assert float(loss) == pytest.approx((-1.2 - 0.5 + 1.5 + 0.8) / 4)
    loss.backward()
    assert logp.grad is not None and logp.grad.tolist() == pytest.approx([0.0, -0.5 / 4, 1.5 / 4, 0.0])
    assert {name: float(one) for name, one in sums.items()} == {"ratio": 4.0, "clipped_low": 1.0, "clipped_high": 1.0}


def test_cispo_and_gspo_by_hand() -> None:
    logp = torch.tensor([1.5, 0.5]).log().requires_grad_()
    given = Tokens(torch.zeros(2, dtype=torch.long), logp, torch.zeros(2), torch.ones(2), torch.ones(2))
    cispo, _ = policy_loss(given, settings(kind="cispo"))
    assert float(cispo) == pytest.approx(-1.2 * math.log(1.5) - 0.8 * math.log(0.5))
    cispo.backward()
    assert logp.grad is not None and logp.grad.tolist() == pytest.approx([-1.2, -0.8])
    gspo, sums = policy_loss(given, settings(kind="gspo", clip_low=0.3))
    assert float(gspo) == pytest.approx(-2 * math.sqrt(0.75))
    assert float(sums["ratio"]) == pytest.approx(2 * math.sqrt(0.75))


def test_weights_by_hand() -> None:
    sequence = torch.tensor([0, 0, 0, 2])
    assert (token_weights(sequence, settings()).tolist(), divisor(4, 3, settings())) == ([1.0] * 4, 4)
    by_rollout, constant = settings(average="sequence_mean"), settings(average="constant", longest=10)
    assert token_weights(sequence, by_rollout).tolist() == pytest.approx([1 / 3] * 3 + [1.0])
    assert token_weights(sequence, constant).tolist() == pytest.approx([0.1] * 4)
    assert divisor(4, 3, by_rollout) == divisor(4, 3, constant) == 3


def test_divergences_by_hand() -> None:
    logp, reference = torch.tensor([math.log(0.5)]), torch.tensor([math.log(0.25)])
    assert float(divergence(logp, reference, "k1")) == pytest.approx(math.log(2))
    assert float(divergence(logp, reference, "k2")) == pytest.approx(math.log(2) ** 2 / 2)
    assert float(divergence(logp, reference, "k3")) == pytest.approx(0.5 + math.log(2) - 1)


@pytest.mark.parametrize("kind", ["clipped", "gspo", "cispo"])
@pytest.mark.parametrize("average", ["token_mean", "sequence_mean"])
def test_parts_of_a_batch_add_up_to_the_whole(kind: str, average: str) -> None:
    chosen = settings(kind=kind, average=average, kl="k3", kl_weight=0.1)
    whole = batch(0, chosen)
    loss, sums = policy_loss(whole, chosen)
    loss.backward()
    assert whole.logp.grad is not None
    found, parts = torch.zeros(()), defaultdict(float)
    again = batch(0, chosen)
    for rollouts in ((0, 1), (2,), (3,)):
        held = torch.isin(again.sequence, torch.tensor(rollouts))
        kept = {name: value[held] for name, value in vars(again).items() if value is not None}
        part, each = policy_loss(Tokens(**{**kept, "sequence": kept["sequence"] - min(rollouts)}), chosen)
        part.backward()
        found = found + part.detach()
        for name, one in each.items():
            parts[name] += float(one)
    assert float(found) == pytest.approx(float(loss), abs=1e-6)
    assert again.logp.grad is not None and torch.allclose(again.logp.grad, whole.logp.grad, atol=1e-7)
    assert {name: pytest.approx(float(one), abs=1e-5) for name, one in sums.items()} == parts


def test_a_mismatch_is_truncated_or_its_rollout_left_out() -> None:
    chosen = settings()
    engine = torch.tensor([0.0, -2.0, 0.0, 0.0])
    given = Tokens(torch.tensor([0, 0, 1, 1]), torch.zeros(4), torch.zeros(4), torch.ones(4), torch.ones(4), engine=engine)
    loss, sums = policy_loss(given, chosen)
    assert float(loss) == pytest.approx(-(1 + 2 + 1 + 1))
    assert float(sums["mismatch_kl"]) == pytest.approx(math.exp(2) - 2 - 1)
    masked, _ = policy_loss(given, settings(mismatch=MismatchSettings(kind="mask")))
    assert float(masked) == pytest.approx(-2)  # the first rollout's mean is e
    plain, _ = policy_loss(given, settings(mismatch=MismatchSettings(kind="none")))
    assert float(plain) == pytest.approx(-4)


def test_entropy_is_kept_up() -> None:
    chosen = settings(entropy_weight=0.5)
    entropy = torch.tensor([2.0, 4.0], requires_grad=True)
    given = replace(batch(0, chosen), **{name: value[:2].detach() for name, value in vars(batch(0, chosen)).items() if value is not None})
    without, _ = policy_loss(given, chosen)
    loss, sums = policy_loss(replace(given, entropy=entropy), chosen)
    assert float(loss.detach() - without) == pytest.approx(-0.5 * 6 / sum(LENGTHS))
    assert float(sums["entropy"]) == 6


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"average": "constant"}, "longest is given with average=constant"),
        ({"longest": 9}, "longest is given with average=constant"),
        ({"kl": "k3"}, "set both, or neither"),
        ({"kl_weight": 0.1}, "set both, or neither"),
    ],
)
def test_settings_that_do_nothing_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**given)


@dataclass(frozen=True)
class Peer:
    """TRL's names for what is compared."""

    loss_type: str
    level: str
    ours: dict[str, Any]


PEERS = [
    Peer("grpo", "token", {"average": "sequence_mean"}),
    Peer("bnpo", "token", {}),
    Peer("dapo", "token", {}),
    Peer("dr_grpo", "token", {"average": "constant", "longest": 16}),
    Peer("grpo", "sequence", {"kind": "gspo", "average": "sequence_mean"}),
    Peer("cispo", "token", {"kind": "cispo"}),
]


@pytest.mark.parametrize("beta", [0.0, 0.05])
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: f"{peer.loss_type} {peer.level}")
def test_loss_and_gradient_are_those_of_trl(peer: Peer, beta: float) -> None:
    from trl.trainer.grpo_trainer import GRPOTrainer

    chosen = settings(
        clip_low=1.0 if peer.loss_type == "cispo" else 0.2, clip_high=0.3, **peer.ours, **({"kl": "k3", "kl_weight": beta} if beta else {})
    )
    ours = batch(3, chosen)
    loss, sums = policy_loss(ours if beta else replace(ours, reference=None), chosen)
    loss.backward()
    rows = batch(3, chosen)
    assert rows.reference is not None
    width = max(LENGTHS)
    mask = (torch.arange(width) < torch.tensor(LENGTHS).unsqueeze(1)).long()

    def padded(values: Tensor) -> Tensor:
        return torch.zeros(len(LENGTHS), width).masked_scatter(mask.bool(), values)

    logp = padded(rows.logp.detach()).requires_grad_()
    inputs = {
        **{name: torch.zeros(len(LENGTHS), 1, dtype=torch.long) for name in ("prompt_ids", "prompt_mask")},
        "completion_ids": mask,
        "completion_mask": mask,
        "old_per_token_logps": padded(rows.old),
        "ref_per_token_logps": padded(rows.reference),
        "advantages": torch.tensor([1.5, -0.5, -1.0, 0.7]),
        "num_items_in_batch": mask.sum().float(),
    }
    alone = SimpleNamespace(num_processes=1, gather=lambda one: one, reduce=lambda one, reduction: one, gather_for_metrics=lambda one: one)
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *given, **more: (logp, torch.zeros_like(logp), None),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level=peer.level,
        beta=beta,
        args=SimpleNamespace(use_bias_correction_kl=False, delta=None, steps_per_generation=1),
        loss_type=peer.loss_type,
        epsilon_low=0.2,
        epsilon_high=1.3 if peer.loss_type == "cispo" else 0.3,  # there the bound itself
        use_vllm=False,
        model=SimpleNamespace(training=True),
        current_gradient_accumulation_steps=1,
        max_completion_length=16,
        accelerator=alone,
        _entropy_bonus_enabled=False,
        _metrics={"train": defaultdict(list)},
    )
    theirs = GRPOTrainer._compute_loss(trainer, None, inputs)
    theirs.backward()
    assert float(loss.detach()) == pytest.approx(float(theirs.detach()), abs=1e-6)
    assert ours.logp.grad is not None and logp.grad is not None
    assert torch.allclose(padded(ours.logp.grad), logp.grad, atol=1e-6)
    told = trainer._metrics["train"]
    if peer.loss_type != "cispo" and peer.level == "token":
        assert float(sums["clipped_low"]) / sum(LENGTHS) == pytest.approx(told["clip_ratio/low_mean"][0], abs=1e-6)
        assert float(sums["clipped_high"]) / sum(LENGTHS) == pytest.approx(told["clip_ratio/high_mean"][0], abs=1e-6)
