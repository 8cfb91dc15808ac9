"""The log-likelihood of tokens under a language model's output layer, without ever holding all logits.

    log p(target) = logits[target] - logsumexp(logits),   logits = W h

for a chunk of tokens at a time; the backward pass makes each chunk's logits again:

    d logits = g (onehot - softmax),   d h = W^T d logits,   d W = sum over tokens of d logits h^T

So the peak is chunk x vocabulary, whatever the number of tokens: 10,240 tokens of 151,936 words would be 6.2 GB. It costs one product more than
holding them, and is as exact: logits, their sums and gradients are in fp32 also where states and weights are in half precision.

A frozen output layer (LoRA) gets no gradient, and pays for none. On a GPU where Liger is installed its kernel does the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ray_pipeline.models.policy.fused_likelihood import fused_log_likelihood, installed

CHUNK = 1024  # tokens whose logits are alive at once


def token_log_likelihood(states: Tensor, weight: Tensor, targets: Tensor, chunk: int = CHUNK) -> Tensor:
    """[tokens, size] states before the output layer, [words, size] its weight, [tokens] ids -> [tokens] log-likelihoods in fp32."""
    kind = states.device.type
    if torch.is_autocast_enabled(kind):  # said here, since the backward pass runs outside of it and has to make the same logits
        states = states.to(torch.get_autocast_dtype(kind))
    with torch.autocast(kind, enabled=False):
        if states.is_cuda and installed():
            return fused_log_likelihood(states, weight, targets)
        found: Tensor = _TokenLogLikelihood.apply(states, weight, targets, chunk)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return found


@torch.no_grad()
def most_likely(states: Tensor, weight: Tensor, chunk: int = CHUNK) -> Tensor:
    """[tokens] the ids that greedy decoding would take."""
    narrow = weight.to(states.dtype)
    found = [logits_of(states[rows], narrow).argmax(1) for rows in chunks(len(states), chunk)]
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.int64, device=states.device)


class _TokenLogLikelihood(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        sums = torch.empty(len(states), dtype=torch.promote_types(states.dtype, torch.float32), device=states.device)
        found, narrow = torch.empty_like(sums), weight.to(states.dtype)
        for rows in chunks(len(states), chunk):
            logits = logits_of(states[rows], narrow)
            sums[rows] = logits.logsumexp(1)
            found[rows] = logits.gather(1, targets[rows, None])[:, 0] - sums[rows]
        ctx.save_for_backward(states, weight, targets, sums)
        ctx.chunk = chunk
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        states, weight, targets, sums = ctx.saved_tensors
        wants_states, wants_weight = ctx.needs_input_grad[:2]
        of_states = torch.empty_like(states) if wants_states else None
        of_weight = torch.zeros_like(weight, dtype=sums.dtype) if wants_weight else None
        narrow = weight.to(states.dtype)
        for rows in chunks(len(states), ctx.chunk):
            of_logits = (logits_of(states[rows], narrow) - sums[rows, None]).exp_().mul_(-gradient[rows, None])
            of_logits.scatter_add_(1, targets[rows, None], gradient[rows, None])
            if of_states is not None:
                of_states[rows] = of_logits.to(narrow.dtype) @ narrow
            if of_weight is not None:
                of_weight.addmm_(of_logits.T, states[rows].to(of_logits.dtype))
        return of_states, None if of_weight is None else of_weight.to(weight.dtype), None, None


def logits_of(states: Tensor, weight: Tensor) -> Tensor:
    product = states @ weight.T
    return product.to(torch.promote_types(product.dtype, torch.float32))


def chunks(tokens: int, chunk: int) -> list[slice]:
    return [slice(start, min(start + chunk, tokens)) for start in range(0, tokens, chunk)]
