"""From token states to one vector a text.

`last` takes each row's last position whose mask is set, so left padding, right padding and holes all work; taking
column -1 would read padding for every shorter row of a right-padded batch.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["mean", "cls", "last"]


def pool(states: Tensor, mask: Tensor, how: Pooling) -> Tensor:
    """`states` [batch, length, dim], `mask` [batch, length] -> [batch, dim] in float32."""
    rows = torch.arange(len(mask), device=mask.device)
    if how == "mean":
        weights = mask.to(torch.float32).unsqueeze(-1)
        return (states.to(torch.float32) * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
    positions = torch.arange(mask.shape[1], device=mask.device)
    if how == "cls":  # the first token that is there, also under left padding
        first = torch.where(mask.bool(), positions, mask.shape[1]).amin(dim=1).clamp(max=mask.shape[1] - 1)
        return states[rows, first].to(torch.float32)
    last = torch.where(mask.bool(), positions, -1).amax(dim=1).clamp(min=0)
    return states[rows, last].to(torch.float32)
