"""Preference losses by hand, against TRL's own methods, and what must hold whatever the numbers."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ray_pipeline.objectives.preference import (
    IpoSettings,
    KtoPairSettings,
    OrpoSettings,
    PairLikelihoods,
    SigmoidSettings,
    SimpoSettings,
    batch_divergences,
    preference_rows,
)


def pairs(count: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> PairLikelihoods:
    generator = torch.Generator().manual_seed(seed)
    lengths = [torch.randint(1, 9, (count,), generator=generator) for _ in range(2)]
    sums = [-torch.rand(count, generator=generator, dtype=dtype) * 3 * lengths[number % 2] - 0.01 for number in range(4)]
    return PairLikelihoods(*sums, *lengths)


def one(chosen: float, rejected: float, reference: tuple[float, float] = (0.0, 0.0), tokens: tuple[int, int] = (1, 1)) -> PairLikelihoods:
    values = [torch.tensor([value], dtype=torch.float64) for value in (chosen, rejected, *reference, *tokens)]
    return PairLikelihoods(*values)


def loss(given_pairs: PairLikelihoods, chosen: Any) -> float:
    return float(preference_rows(given_pairs, chosen)[0])


def test_by_hand() -> None:
    three = math.log(3.0)
    given_pairs = one(-1.0, -1.0 - three, (-2.0, -2.0), (2, 1))  # d = log 3
    assert loss(given_pairs, SigmoidSettings(beta=1.0)) == pytest.approx(-math.log(3 / 4))
    assert loss(given_pairs, SigmoidSettings(beta=1.0, label_smoothing=0.25)) == pytest.approx(-0.75 * math.log(3 / 4) - 0.25 * math.log(1 / 4))
    per_token = 0.5 - (1.0 - three)
    assert loss(given_pairs, SigmoidSettings(beta=2.0, normalise=True)) == pytest.approx(-math.log(1 / (1 + math.exp(-2 * per_token))))
    assert loss(given_pairs, IpoSettings(beta=0.25)) == pytest.approx((per_token - 2.0) ** 2)
    assert loss(given_pairs, SimpoSettings(beta=2.0, gamma=1.0)) == pytest.approx(-math.log(1 / (1 + math.exp(-(2 * (-0.5 + 1.0 + three) - 1)))))
    odds = one(math.log(0.75), math.log(0.5))  # 3 to 1 against 1 to 1
    assert loss(odds, OrpoSettings(weight=0.1)) == pytest.approx(-0.1 * math.log(3 / 4))
    above, below = 1.0, 0.0  # the means of this one pair's log ratios, at least 0: 1, and 1 - log 3 < 0
    kto = 0.5 * ((1 - 1 / (1 + math.exp(-(1.0 - below)))) + (1 - 1 / (1 + math.exp(-(above - (1.0 - three))))))
    assert loss(given_pairs, KtoPairSettings(beta=1.0)) == pytest.approx(kto)


def fake(**given_fields: Any) -> Any:
    return SimpleNamespace(accelerator=SimpleNamespace(device="cpu"), alpha=0.0, **given_fields)


@pytest.mark.parametrize("seed", range(5))
def test_equals_trl(seed: int) -> None:
    from trl.experimental.cpo.cpo_trainer import CPOTrainer
    from trl.experimental.orpo.orpo_trainer import ORPOTrainer

    given_pairs = pairs(seed=seed, dtype=torch.float32)
    averages = given_pairs.chosen / given_pairs.chosen_tokens, given_pairs.rejected / given_pairs.rejected_tokens
    peer = fake(loss_type="simpo", simpo_gamma=1.0, beta=2.0, label_smoothing=0.0)
    assert torch.allclose(preference_rows(given_pairs, SimpoSettings()), CPOTrainer.cpo_loss(peer, *averages)[0], atol=1e-6)
    peer = fake(loss_type="ipo", beta=0.1, label_smoothing=0.0)  # of log ratios, which are all the loss depends on
    ratios = [ratio / tokens for ratio, tokens in zip(given_pairs.ratios, (given_pairs.chosen_tokens, given_pairs.rejected_tokens), strict=True)]
    assert torch.allclose(preference_rows(given_pairs, IpoSettings()), CPOTrainer.cpo_loss(peer, *ratios)[0], rtol=1e-6)
    peer = fake(loss_type="sigmoid", beta=0.3, label_smoothing=0.1)
    ours = preference_rows(given_pairs, SigmoidSettings(beta=0.3, label_smoothing=0.1))
    assert torch.allclose(ours, CPOTrainer.cpo_loss(peer, *given_pairs.ratios)[0], atol=1e-6)
    ours = preference_rows(given_pairs, OrpoSettings(weight=0.1))
    assert torch.allclose(ours, -ORPOTrainer.odds_ratio_loss(fake(beta=0.1), *averages)[0], atol=1e-6)


ALL = (SigmoidSettings(), SigmoidSettings(normalise=True), IpoSettings(), KtoPairSettings(), SimpoSettings(), OrpoSettings())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), chosen=st.sampled_from(ALL))
def test_a_step_downhill_prefers_the_preferred(seed: int, chosen: Any) -> None:
    """Whatever the pair, the gradient raises what is preferred over the other; IPO only until its margin is there."""
    given_pairs = pairs(seed=seed)
    policy = [side.clone().requires_grad_() for side in (given_pairs.chosen, given_pairs.rejected)]
    moved = PairLikelihoods(*policy, *[getattr(given_pairs, name) for name in PairLikelihoods.__dataclass_fields__][2:])
    gradients: tuple[Tensor, ...] = torch.autograd.grad(preference_rows(moved, chosen).sum(), policy)
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
    if isinstance(chosen, IpoSettings):
        margin = moved.ratios[0] / moved.chosen_tokens - moved.ratios[1] / moved.rejected_tokens - 1 / (2 * chosen.beta)
        assert bool((gradients[0] * margin >= 0).all())
    else:
        assert bool((gradients[0] <= 0).all())
        assert bool((gradients[1] >= 0).all())


def test_parts_of_a_batch_give_its_losses() -> None:
    """KTO's pairs meet the whole batch's divergences, also where they come in parts."""
    given_pairs = pairs(8)
    names = PairLikelihoods.__dataclass_fields__
    halves = [PairLikelihoods(*[getattr(given_pairs, name)[rows] for name in names]) for rows in (slice(0, 3), slice(3, 8))]
    whole = preference_rows(given_pairs, KtoPairSettings())
    known = batch_divergences(given_pairs)
    parts = torch.cat([preference_rows(half, KtoPairSettings(), known) for half in halves])
    assert torch.allclose(whole, parts)
    alone = torch.cat([preference_rows(half, KtoPairSettings()) for half in halves])
    assert not torch.allclose(whole, alone)  # which is why they have to be given


@pytest.mark.parametrize("value", [-1e-9, -1e-4, -0.5, -0.7, -30.0, -200.0])
def test_odds_are_exact_where_one_form_loses_digits(value: float) -> None:
    chosen = torch.tensor([value], dtype=torch.float64, requires_grad=True)
    given_pairs = PairLikelihoods(chosen, torch.tensor([-1.0], dtype=torch.float64), *[torch.zeros(1)] * 2, *[torch.ones(1)] * 2)
    found = preference_rows(given_pairs, OrpoSettings(weight=1.0))
    exact = value - math.log(-math.expm1(value)) - (-1.0 - math.log(-math.expm1(-1.0)))
    assert float(found[0].detach()) == pytest.approx(math.log1p(math.exp(-exact)) if exact > -700 else -exact, rel=1e-6, abs=1e-9)
    found.sum().backward()
    assert chosen.grad is not None
    assert bool(torch.isfinite(chosen.grad).all())
