"""What a policy is asked to do with a pair of answers to one prompt, of which the first is preferred.

From the sums of log-likelihoods of both answers under the policy (p) and a reference (r), with `d = (p+ - r+) - (p- - r-)`:

* sigmoid     -(1 - s) log sigma(beta d) - s log sigma(-beta d)                      DPO, Rafailov et al. 2023; s: label smoothing
              `normalise`: each answer's log ratio divided by its tokens first
* ipo         (d' - 1 / (2 beta))^2, d' of log ratios per token                      Azar et al. 2023
* kto_pair    half of 1 - sigma(beta ((p+ - r+) - KL-)) + 1 - sigma(beta (KL+ - (p- - r-)))   Ethayarajh et al. 2024
* simpo       -log sigma(beta (p+ / n+ - p- / n-) - gamma)                           Meng et al. 2024; no reference
* orpo        -lambda log sigma(log odds+ - log odds-), of p per token               Hong et al. 2024; no reference, beside the SFT term

Traps. IPO on sums grows with length; its authors mean the average. KL+ and KL- are the mean log ratios of the whole batch, at least 0, and
no gradient flows through them: a part of a batch (accumulation, a rank) must be given those of the whole. Odds need a likelihood below 1:
an answer of no tokens has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import logsigmoid

from ray_pipeline.config import Settings, identity


class SigmoidSettings(Settings):
    kind: Literal["sigmoid"] = identity("sigmoid", "DPO")
    beta: float = identity(0.1, "how far the policy may leave the reference: the less, the farther", gt=0)
    label_smoothing: float = identity(0.0, "share of pairs that are taken to be the wrong way round", ge=0, lt=0.5)
    normalise: bool = identity(False, "log ratios per token: long answers weigh no more than short ones")


class IpoSettings(Settings):
    kind: Literal["ipo"] = identity("ipo", "IPO: a fixed margin per token instead of an ever larger one")
    beta: float = identity(0.1, "the margin is 1 / (2 beta)", gt=0)


class KtoPairSettings(Settings):
    kind: Literal["kto_pair"] = identity("kto_pair", "KTO on pairs: each answer against the other side's mean")
    beta: float = identity(0.1, "how far the policy may leave the reference", gt=0)


class SimpoSettings(Settings):
    kind: Literal["simpo"] = identity("simpo", "SimPO: likelihoods per token, no reference")
    beta: float = identity(2.0, "scale of the difference", gt=0)
    gamma: float = identity(1.0, "margin that the preferred answer has to win by", ge=0)


class OrpoSettings(Settings):
    kind: Literal["orpo"] = identity("orpo", "ORPO: odds beside the likelihood of the preferred answer, no reference")
    weight: float = identity(0.1, "of the odds, beside the SFT term", gt=0)


PreferenceSettings = Annotated[SigmoidSettings | IpoSettings | KtoPairSettings | SimpoSettings | OrpoSettings, Field(discriminator="kind")]
_HALF: Final = -math.log(2.0)


@dataclass(frozen=True)
class PairLikelihoods:
    """[pairs] sums of log-likelihoods and counts of tokens; the reference's zero where the loss knows none."""

    chosen: Tensor
    rejected: Tensor
    reference_chosen: Tensor
    reference_rejected: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor

    @property
    def ratios(self) -> tuple[Tensor, Tensor]:
        """How much likelier either answer became."""
        return self.chosen - self.reference_chosen, self.rejected - self.reference_rejected


def preference_rows(pairs: PairLikelihoods, settings: PreferenceSettings, divergences: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """[pairs] losses. `divergences`: the whole batch's KL+ and KL-, where these are some of its pairs."""
    preferred, other = pairs.ratios
    if isinstance(settings, SigmoidSettings):
        if settings.normalise:
            preferred, other = preferred / pairs.chosen_tokens, other / pairs.rejected_tokens
        margin = settings.beta * (preferred - other)
        return -(1 - settings.label_smoothing) * logsigmoid(margin) - settings.label_smoothing * logsigmoid(-margin)
    if isinstance(settings, IpoSettings):
        return (preferred / pairs.chosen_tokens - other / pairs.rejected_tokens - 1 / (2 * settings.beta)) ** 2
    if isinstance(settings, KtoPairSettings):
        above, below = divergences or batch_divergences(pairs)
        losses = (1 - torch.sigmoid(settings.beta * (preferred - below))) + (1 - torch.sigmoid(settings.beta * (above - other)))
        return losses / 2
    chosen, rejected = pairs.chosen / pairs.chosen_tokens, pairs.rejected / pairs.rejected_tokens
    if isinstance(settings, SimpoSettings):
        return -logsigmoid(settings.beta * (chosen - rejected) - settings.gamma)
    return -settings.weight * logsigmoid(_log_odds(chosen) - _log_odds(rejected))


def rewards(pairs: PairLikelihoods, settings: PreferenceSettings) -> tuple[Tensor, Tensor]:
    """[pairs] what either answer is worth to the policy, as the loss compares it: the first above the second is a pair understood."""
    if isinstance(settings, SimpoSettings | OrpoSettings):
        scale = settings.beta if isinstance(settings, SimpoSettings) else 1.0
        return scale * pairs.chosen / pairs.chosen_tokens, scale * pairs.rejected / pairs.rejected_tokens
    preferred, other = pairs.ratios
    if isinstance(settings, IpoSettings) or (isinstance(settings, SigmoidSettings) and settings.normalise):
        preferred, other = preferred / pairs.chosen_tokens, other / pairs.rejected_tokens
    return settings.beta * preferred, settings.beta * other


def batch_divergences(pairs: PairLikelihoods) -> tuple[Tensor, Tensor]:
    """KL+ and KL-, without gradients."""
    preferred, other = (ratio.detach().mean().clamp(min=0) for ratio in pairs.ratios)
    return preferred, other


def _log_odds(log_likelihood: Tensor) -> Tensor:
    """log(p / (1 - p)); the two forms of log(1 - p) are each exact where the other loses digits (Mächler 2012). Neither sees the other's
    side, or the gradient of the form that is not taken would be NaN."""
    near = torch.log(-torch.expm1(log_likelihood.clamp(min=_HALF)))
    far = torch.log1p(-torch.exp(log_likelihood.clamp(max=_HALF)))
    return log_likelihood - torch.where(log_likelihood > _HALF, near, far)
