"""From token states to one vector a text.

`last` takes each row's last position whose mask is set, so left padding, right padding and holes all work; taking
column -1 would read padding for every shorter row of a right-padded batch.

Trap: what a model computes at masked positions is anything, NaN included, and 0 x NaN is NaN: masked states are replaced,
not multiplied away.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["mean", "cls", "last"]


def pool(states: Tensor, mask: Tensor, how: Pooling) -> Tensor:
    """`states` [batch, length, dim], `mask` [batch, length] -> [batch, dim] in float32 (in float64 where the states are)."""
    dtype = torch.promote_types(states.dtype, torch.float32)
    rows = torch.arange(len(mask), device=mask.device)
    if how == "mean":
        kept = states.to(dtype).masked_fill(~mask.bool().unsqueeze(-1), 0.0)
        return kept.sum(dim=1) / mask.bool().sum(dim=1, keepdim=True).clamp(min=1)
    positions = torch.arange(mask.shape[1], device=mask.device)
    if how == "cls":  # the first token that is there, also under left padding
        first = torch.where(mask.bool(), positions, mask.shape[1]).amin(dim=1).clamp(max=mask.shape[1] - 1)
        return states[rows, first].to(dtype)
    last = torch.where(mask.bool(), positions, -1).amax(dim=1).clamp(min=0)
    return states[rows, last].to(dtype)
