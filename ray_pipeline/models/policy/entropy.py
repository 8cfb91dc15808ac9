"""Log-likelihoods of tokens, and how open each was: the entropy of the whole vocabulary, a chunk of tokens at a time (see `likelihood.py`).

    H = logsumexp(l) - sum of p l,   d H / d l = -p (log p + H)

Both come from the same logits, so the entropy costs two sums more and no product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ray_pipeline.models.policy.likelihood import CHUNK, chunks, logits_of


def likelihood_and_entropy(states: Tensor, weight: Tensor, targets: Tensor, chunk: int = CHUNK) -> Tensor:
    """[tokens, size], [words, size], [tokens] -> [2, tokens] in fp32, with gradients of both."""
    kind = states.device.type
    if torch.is_autocast_enabled(kind):
        states = states.to(torch.get_autocast_dtype(kind))
    with torch.autocast(kind, enabled=False):
        found: Tensor = _LikelihoodAndEntropy.apply(states, weight, targets, chunk)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return found


class _LikelihoodAndEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        dtype = torch.promote_types(states.dtype, torch.float32)
        found, sums = torch.empty(2, len(states), dtype=dtype, device=states.device), torch.empty(len(states), dtype=dtype, device=states.device)
        narrow = weight.to(states.dtype)
        for rows in chunks(len(states), chunk):
            logits = logits_of(states[rows], narrow)
            sums[rows] = logits.logsumexp(1)
            found[0, rows] = logits.gather(1, targets[rows, None])[:, 0] - sums[rows]
            found[1, rows] = sums[rows] - ((logits - sums[rows, None]).exp() * logits).sum(1)
        ctx.save_for_backward(states, weight, targets, sums, found[1])
        ctx.chunk = chunk
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        states, weight, targets, sums, entropy = ctx.saved_tensors
        wants_states, wants_weight = ctx.needs_input_grad[:2]
        of_states = torch.empty_like(states) if wants_states else None
        of_weight = torch.zeros_like(weight, dtype=sums.dtype) if wants_weight else None
        narrow = weight.to(states.dtype)
        for rows in chunks(len(states), ctx.chunk):
            logs = logits_of(states[rows], narrow).sub_(sums[rows, None])
            of_logits = logs.exp().mul_(-(gradient[0, rows, None] + gradient[1, rows, None] * (logs + entropy[rows, None])))
            of_logits.scatter_add_(1, targets[rows, None], gradient[0, rows, None])
            if of_states is not None:
                of_states[rows] = of_logits.to(narrow.dtype) @ narrow
            if of_weight is not None:
                of_weight.addmm_(of_logits.T, states[rows].to(of_logits.dtype))
        return of_states, None if of_weight is None else of_weight.to(weight.dtype), None, None
