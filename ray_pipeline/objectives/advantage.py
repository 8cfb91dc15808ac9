"""How much better a rollout is than others of its prompt: what a policy gradient weighs its tokens by.

From rewards r of a group (the rollouts of one prompt), m and s their mean and standard deviation (n - 1 in the denominator), n their number:

* grpo            (r - m) / s                                                 Shao et al. 2024; nothing where s is 0
* dr_grpo         r - m                                                       Liu et al. 2025: dividing by s weighs easy and hard prompts up
* rloo            r - the mean of the others = n / (n - 1) (r - m)            Ahmadian et al. 2024
* reinforce_pp    (r - m) over the standard deviation of all r - m            Hu et al. 2025, with the group's mean as its baseline
* egpo            A + min(lambda E, |A| / alpha), A of grpo                   arXiv 2508.05118; E: mean entropy of the chain of thought
* egpo_clipped    A + lambda clip(E, -|A| / alpha, |A| / alpha)               what a known fork computes: at most lambda |A| / alpha, not |A| / alpha

Traps. A group of one has no deviation: it is refused. A group whose rewards are equal teaches nothing, and by rounding its deviation may be a
number like 1e-9: `std_floor` says from where on a deviation counts. EGPO's bonus has the sign of nothing: it raises bad rollouts, too, by at most
half of what they are down with alpha 2, so no sign turns. With E of 0 (no chain of thought was found) EGPO is GRPO.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ray_pipeline.config import Settings, identity
from ray_pipeline.errors import DataError


class GrpoAdvantage(Settings):
    kind: Literal["grpo"] = identity("grpo", "less the group's mean, over its deviation")
    std_floor: float = identity(1e-6, "groups whose rewards deviate by no more than this teach nothing", ge=0)


class DrGrpoAdvantage(Settings):
    kind: Literal["dr_grpo"] = identity("dr_grpo", "less the group's mean")


class RlooAdvantage(Settings):
    kind: Literal["rloo"] = identity("rloo", "less the mean of the group's others")


class ReinforceAdvantage(Settings):
    kind: Literal["reinforce_pp"] = identity("reinforce_pp", "less the group's mean, over the deviation of the whole batch")
    std_floor: float = identity(1e-6, "a batch that deviates by no more than this teaches nothing", ge=0)


class EgpoAdvantage(GrpoAdvantage):
    kind: Literal["egpo"] = identity("egpo", "grpo with a bonus for entropy in the chain of thought")  # type: ignore[assignment]
    weight: float = identity(0.4, "of the entropy (lambda)", ge=0)
    bound: float = identity(2.0, "the bonus is at most the advantage's size over this (alpha)", ge=1)


class ClippedEgpoAdvantage(EgpoAdvantage):
    kind: Literal["egpo_clipped"] = identity("egpo_clipped", "egpo as a known fork computes it")  # type: ignore[assignment]


AdvantageSettings = Annotated[
    GrpoAdvantage | DrGrpoAdvantage | RlooAdvantage | ReinforceAdvantage | EgpoAdvantage | ClippedEgpoAdvantage, Field(discriminator="kind")
]


def advantages(rewards: Tensor, groups: Tensor, settings: AdvantageSettings, entropies: Tensor | None = None) -> Tensor:
    """[rollouts] of `rewards` and group numbers; `entropies`: the mean entropy of each chain of thought, for egpo."""
    if not torch.isfinite(rewards).all():
        raise DataError(f"rewards: {int((~torch.isfinite(rewards)).sum())} of {len(rewards)} are no finite numbers; leave those rollouts out")
    members, count = _members(groups)
    if bool((count < 2).any()):
        raise DataError("groups: a group of one rollout has nothing to be compared with; draw two or more for each prompt")
    rewards = rewards.double()
    centred = rewards - _mean(rewards, members, count)
    if isinstance(settings, EgpoAdvantage):
        if entropies is None:
            raise DataError(f"advantage.kind={settings.kind} needs the entropy of each chain of thought")
        return _with_entropy(_over_deviation(centred, members, count, settings.std_floor), entropies.double(), settings).float()
    if isinstance(settings, GrpoAdvantage):
        return _over_deviation(centred, members, count, settings.std_floor).float()
    if isinstance(settings, RlooAdvantage):
        size = count[members]
        return (centred * size / (size - 1)).float()
    if isinstance(settings, ReinforceAdvantage):
        deviation = centred.std()
        return (centred / deviation if deviation > settings.std_floor else torch.zeros_like(centred)).float()
    return centred.float()


def teaches(rewards: Tensor, groups: Tensor, floor: float = 1e-6) -> Tensor:
    """[rollouts]: whether the rewards of its group differ. Those that do not are dropped, and others drawn, by dynamic sampling."""
    members, count = _members(groups)
    centred = rewards.double() - _mean(rewards.double(), members, count)
    return _deviation(centred, members, count)[members] > floor


def _members(groups: Tensor) -> tuple[Tensor, Tensor]:
    """Of each rollout its group's place, and of each group how many it has."""
    _, members, count = torch.unique(groups, return_inverse=True, return_counts=True)
    return members, count


def _mean(values: Tensor, members: Tensor, count: Tensor) -> Tensor:
    total = torch.zeros(len(count), dtype=values.dtype).index_add(0, members, values)
    return (total / count)[members]


def _deviation(centred: Tensor, members: Tensor, count: Tensor) -> Tensor:
    squares = torch.zeros(len(count), dtype=centred.dtype).index_add(0, members, centred.square())
    return (squares / (count - 1).clamp(min=1)).sqrt()


def _over_deviation(centred: Tensor, members: Tensor, count: Tensor, floor: float) -> Tensor:
    deviation = _deviation(centred, members, count)[members]
    return torch.where(deviation > floor, centred / deviation.clamp(min=1e-300), torch.zeros_like(centred))


def _with_entropy(found: Tensor, entropies: Tensor, settings: EgpoAdvantage) -> Tensor:
    most = found.abs() / settings.bound
    if isinstance(settings, ClippedEgpoAdvantage):
        return found + settings.weight * torch.minimum(torch.maximum(entropies, -most), most)
    return found + torch.minimum(settings.weight * entropies, most)
