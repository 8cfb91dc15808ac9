"""In-batch contrastive losses from a block of scores, row by row.

With s_p the logit of a positive p, P a query's positives, and Z = sum over its negatives n of exp(s_n):

    one              log(exp(s_t) + Z) - s_t                            InfoNCE (arXiv 1807.03748), t the drawn positive
    each             mean over p of log(sum over P of exp + Z) - s_p    SupCon's L_out (arXiv 2004.11362, eq. 2)
    others_removed   mean over p of log(exp(s_p) + Z) - s_p             the other positives stand in no denominator

so with one positive the three are the same. `joint` puts the negatives of every direction into Z, as GTE does
(arXiv 2308.03281, eq. 4); there doc_to_query holds the drawn pair once more, so exp(s_t) counts twice. `per_direction` has
one softmax for query_to_doc and one for doc_to_query and takes the mean.

Hardness weighting (arXiv 2503.04812, eq. 5; 2509.20354) adds alpha * similarity, without gradient, to the logits of
chosen query_to_doc negatives. A logit being similarity * scale, that is a factor 1 + alpha / scale.

A query with no negative left teaches nothing: its loss is 0, also where `each` would still level its positives.

Trap: a row whose every entry is -inf has a log-sum of -inf, whose gradient is NaN. The log-sum of nothing is therefore the
finite NOTHING, which no real logit comes near and which vanishes in every sum of exponentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings, Direction, Hardness

NOTHING: Final = -1e30


@dataclass(frozen=True)
class HardnessWeight:
    """Which negatives of a block grow, and by which factor; `own` [c, 1 + K] are the columns of each row's own documents."""

    of: Hardness  # not none
    factor: float | Tensor
    own: Tensor

    def apply(self, logits: Tensor) -> None:
        """In place; blanked entries are -inf and stay so."""
        own = logits.gather(1, self.own)
        if self.of != "hard_negatives":
            logits.mul_(self.factor)
        if self.of == "in_batch_negatives":
            logits.scatter_(1, self.own, own)
        if self.of == "hard_negatives":
            logits.scatter_(1, self.own, own * self.factor)


class SplitScores(torch.autograd.Function):
    """From logits [c, N]: the log-sum of the exponentials of each row's negatives [c], the logits at (rows, columns) [n],
    and each row's largest negative [c] (-inf where there is none; no gradient).

    Negatives are what `blank` leaves. One function, because together they need one buffer [c, N]: the exponentials that
    the forward pass leaves become the gradient in place. So it can be sent back once, and never twice.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, blank: Tensor, rows: Tensor, columns: Tensor, hardness: HardnessWeight | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        taken = logits[rows, columns]
        left = logits.masked_fill(blank, -torch.inf)
        top = left.amax(1)
        if hardness is not None:
            hardness.apply(left)
        peak = top if hardness is None else left.amax(1)
        peak = torch.where(peak == -torch.inf, 0, peak)
        left.sub_(peak[:, None]).exp_()
        mass = left.sum(1)
        ctx.save_for_backward(left, mass, rows, columns)
        ctx.mark_non_differentiable(top)
        return torch.where(mass == 0, NOTHING, mass.log() + peak), taken, top

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        exponentials, mass, rows, columns = ctx.saved_tensors
        share = grads[0] / torch.where(mass == 0, 1, mass)
        grad = exponentials.mul_(share[:, None])
        return grad.index_put_((rows, columns), grads[1], accumulate=True), None, None, None, None


@dataclass(frozen=True)
class RowScores:
    """What the losses of c rows are made of."""

    negatives: Mapping[Direction, Tensor]  # [c] log-sum over the negatives of each direction
    drawn: Tensor  # [c] logit of the drawn positive
    positive_row: Tensor  # [n] row of every positive, the drawn one among them
    positive: Tensor  # [n] its logit


def contrastive_rows(scores: RowScores, settings: ContrastiveSettings) -> tuple[Tensor, Tensor]:
    """[c] each query's loss, and whether it had no negative at all."""
    negatives = torch.stack(list(scores.negatives.values()))
    if settings.partition == "joint":
        copies = 2 if "doc_to_query" in scores.negatives else 1
        loss = _against(torch.logsumexp(negatives, 0), copies, scores, settings)
    else:
        terms = [_against(scores.negatives["query_to_doc"], 1, scores, settings)]
        if "doc_to_query" in scores.negatives:
            terms.append(_softplus(scores.negatives["doc_to_query"] - scores.drawn))
        loss = torch.stack(terms).mean(0)
    empty = (negatives < NOTHING / 2).all(0)
    return torch.where(empty, 0, loss), empty


def _against(negatives: Tensor, copies: int, scores: RowScores, settings: ContrastiveSettings) -> Tensor:
    """[c] the loss of the positives against `negatives`; `copies` is how often the drawn pair stands in the denominator."""
    if settings.positives == "one":
        return _softplus(negatives - scores.drawn, copies)
    row, positive = scores.positive_row, scores.positive
    rows = len(negatives)
    count = torch.bincount(row, minlength=rows)
    if settings.positives == "others_removed":
        return _sum_by_row(_softplus(negatives[row] - positive), row, rows) / count
    peak = torch.full_like(negatives, -torch.inf).scatter_reduce(0, row, positive.detach(), "amax")
    together = _sum_by_row((positive - peak[row]).exp(), row, rows).log() + peak
    return torch.logaddexp(negatives, together) - _sum_by_row(positive, row, rows) / count


def _sum_by_row(values: Tensor, row: Tensor, rows: int) -> Tensor:
    return torch.zeros(rows, dtype=values.dtype, device=values.device).index_add(0, row, values)


def _softplus(difference: Tensor, copies: int = 1) -> Tensor:
    """log(copies + exp(difference))."""
    return torch.logaddexp(difference, torch.full_like(difference, copies).log())
