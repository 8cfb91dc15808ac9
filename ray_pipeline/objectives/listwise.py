"""What a reranker is asked to do with a query's list: its positive, then its negatives.

* listwise: cross entropy of the positive among all of the list,
      - sum over the list of t * log softmax(scores),   t = 1 - s + s/n for the positive, s/n for the others
  with label smoothing s over the n candidates of that list (Szegedy et al., arXiv 1512.00567): 16 candidates and s = 0.2 give
  0.8125 and 0.0125.
* pointwise: binary cross entropy of each score by itself, the mean of the list; smoothing moves both targets towards one half,
      t = 1 - s/2 for the positive, s/2 for the others.

Distillation stands beside either (`distillation.py`): it takes the same scores. Lists are padded to a rectangle and `listed` says
what is real. A list of one has no order to learn: its listwise loss is 0, and it is counted.

Trap: a smoothing that is passed to a loss with one target class and n - 1 negatives *per batch* spreads over the batch; it must
be over the query's own list.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def listwise_rows(scores: Tensor, listed: Tensor, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """From [c, 1 + K] scores, the positive first: [c] each query's loss, and whether it was left out (no negative beside it)."""
    counts = listed.sum(1, keepdim=True)
    alone = counts[:, 0] < 2
    log_p = torch.where(listed, scores, -torch.inf).log_softmax(1)
    targets = _smoothed(listed, smoothing / counts.to(scores.dtype), 1 - smoothing)
    losses = -(targets * torch.where(listed, log_p, 0)).sum(1)
    return torch.where(alone, 0 * losses, losses), alone


def pointwise_rows(scores: Tensor, listed: Tensor, smoothing: float = 0.0) -> Tensor:
    """From the same scores: [c] the mean of each query's binary cross entropies."""
    targets = _smoothed(listed, torch.full_like(scores[:, :1], smoothing / 2), 1 - smoothing).to(scores.dtype)
    losses = binary_cross_entropy_with_logits(scores, targets, reduction="none")
    return torch.where(listed, losses, 0).sum(1) / listed.sum(1)


def _smoothed(listed: Tensor, floor: Tensor, peak: float) -> Tensor:
    """`floor` for all that is listed, `peak` more for the first of each row."""
    targets = listed * floor
    targets[:, 0] += peak
    return targets
