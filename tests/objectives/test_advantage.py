"""Advantages: numbers worked out by hand, a slow oracle, and TRL's."""

from __future__ import annotations

import statistics

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from ray_pipeline.errors import DataError
from ray_pipeline.objectives.advantage import AdvantageSettings, advantages, teaches

REWARDS = torch.tensor([1.0, 0.0, 0.0, 1.0, 3.0, 1.0])
GROUPS = torch.tensor([7, 7, 7, 2, 2, 2])


def settings(**given: object) -> AdvantageSettings:
    found: AdvantageSettings = TypeAdapter(AdvantageSettings).validate_python(given)
    return found


def test_by_hand() -> None:
    """Means 1/3 and 5/3, deviations sqrt(1/3) and sqrt(4/3)."""
    root = 3**0.5
    assert advantages(REWARDS, GROUPS, settings(kind="dr_grpo")).tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3, -2 / 3, 4 / 3, -2 / 3])
    expected = [2 / root, -1 / root, -1 / root, -1 / root, 2 / root, -1 / root]
    assert advantages(REWARDS, GROUPS, settings(kind="grpo")).tolist() == pytest.approx(expected)
    assert advantages(REWARDS, GROUPS, settings(kind="rloo")).tolist() == pytest.approx([1, -0.5, -0.5, -1, 2, -1])
    centred = [2 / 3, -1 / 3, -1 / 3, -2 / 3, 4 / 3, -2 / 3]
    deviation = statistics.stdev(centred)
    assert advantages(REWARDS, GROUPS, settings(kind="reinforce_pp")).tolist() == pytest.approx([one / deviation for one in centred])


def test_egpo_by_hand() -> None:
    """A = +-1/sqrt(2) of two; half of it is 0.3536, the bonus 0.4 E."""
    rewards, groups, entropies = torch.tensor([1.0, 0.0]), torch.tensor([0, 0]), torch.tensor([0.5, 5.0])
    plain = 0.5**0.5
    assert advantages(rewards, groups, settings(kind="egpo"), entropies).tolist() == pytest.approx([plain + 0.2, -plain / 2])
    assert advantages(rewards, groups, settings(kind="egpo_clipped"), entropies).tolist() == pytest.approx([plain * 1.2, -plain * 0.8])
    assert advantages(rewards, groups, settings(kind="egpo"), torch.zeros(2)).tolist() == pytest.approx([plain, -plain])


def test_no_bonus_turns_a_sign_and_equal_rewards_stay_nothing() -> None:
    torch.manual_seed(0)
    for kind in ("egpo", "egpo_clipped"):
        rewards, groups = torch.randint(0, 2, (60,)).float(), torch.arange(60) // 6
        found = advantages(rewards, groups, settings(kind=kind), torch.rand(60) * 9)
        plain = advantages(rewards, groups, settings(kind="grpo"))
        assert torch.equal(found.sign(), plain.sign())
        assert (found - plain >= 0).all()


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo", "rloo", "reinforce_pp"])
def test_a_slow_oracle(kind: str) -> None:
    torch.manual_seed(1)
    groups = torch.tensor([0, 3, 0, 3, 1, 1, 3, 0, 1, 1])
    rewards = torch.randn(10)
    found = advantages(rewards, groups, settings(kind=kind))
    centred = []
    for place in range(10):
        mates = [float(rewards[one]) for one in range(10) if groups[one] == groups[place]]
        value = float(rewards[place])
        others = [float(rewards[one]) for one in range(10) if groups[one] == groups[place] and one != place]
        by = {"grpo": (value - statistics.mean(mates)) / statistics.stdev(mates), "rloo": value - statistics.mean(others)}
        centred.append(value - statistics.mean(mates))
        if kind in by:
            assert float(found[place]) == pytest.approx(by[kind], rel=1e-5, abs=1e-6)
    if kind == "dr_grpo":
        assert found.tolist() == pytest.approx(centred, rel=1e-5, abs=1e-6)
    if kind == "reinforce_pp":
        assert found.tolist() == pytest.approx([one / statistics.stdev(centred) for one in centred], rel=1e-5, abs=1e-6)


def trl_advantages(rewards: Tensor, size: int) -> Tensor:
    """What TRL 1.16.0's GRPOTrainer does with scale_rewards="group"."""
    mean = torch.nanmean(rewards.view(-1, size), dim=1).repeat_interleave(size)
    return (rewards - mean) / (rewards.view(-1, size).std(dim=1).repeat_interleave(size) + 1e-4)


def test_as_trl_but_for_its_small_addition() -> None:
    torch.manual_seed(2)
    rewards = torch.rand(24)
    ours = advantages(rewards, torch.arange(24) // 4, settings(kind="grpo"))
    assert torch.allclose(ours, trl_advantages(rewards, 4), rtol=2e-3, atol=1e-4)


def test_groups_of_equal_rewards_teach_nothing_even_where_rounding_says_otherwise() -> None:
    rewards = torch.tensor([0.1 + 0.2, 0.3, 0.3, 1.0, 0.0, 0.0], dtype=torch.float64)
    groups = torch.tensor([0, 0, 0, 1, 1, 1])
    assert advantages(rewards, groups, settings(kind="grpo"))[:3].tolist() == [0.0, 0.0, 0.0]
    assert teaches(rewards, groups).tolist() == [False] * 3 + [True] * 3
    assert advantages(torch.ones(4), torch.tensor([0, 0, 1, 1]), settings(kind="reinforce_pp")).tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("rewards", "groups", "kind", "said"),
    [
        ([1.0, float("nan")], [0, 0], "grpo", "1 of 2 are no finite numbers"),
        ([1.0, 2.0, 3.0], [0, 0, 1], "rloo", "a group of one rollout"),
        ([1.0, 2.0], [0, 0], "egpo", "needs the entropy of each chain of thought"),
    ],
)
def test_what_cannot_be_compared_is_refused(rewards: list[float], groups: list[int], kind: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        advantages(torch.tensor(rewards), torch.tensor(groups), settings(kind=kind))
