"""The norm of all gradients, and scaling them down to a limit (Pascanu et al. 2013, arXiv 1211.5063).

A model sharded by FSDP has gradients of which each rank holds a part, and parameters outside it (a temperature) whole ones.
torch's own clipping refuses the two together, so each kind is measured by itself: the squares add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def clip(parameters: Iterable[nn.Parameter], limit: float | None) -> float:
    """The norm as it was; afterwards it is `limit` at most. A norm that is no number changes nothing: the guard looks at it next."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    kinds = [[one for one in gradients if isinstance(one, DTensor) is sharded] for sharded in (True, False)]
    norm = math.sqrt(sum(_norm(kind) ** 2 for kind in kinds if kind))
    if limit is not None and norm > limit:
        for kind in kinds:
            if kind:
                torch._foreach_mul_(kind, limit / norm)
    return norm


def _norm(gradients: list[Tensor]) -> float:
    found = torch.nn.utils.get_total_norm(gradients)
    return float(found.full_tensor() if isinstance(found, DTensor) else found)
