"""The same log-likelihoods by Liger's Triton kernel, on GPUs where it is installed (`pip install liger-kernel`).

It too makes logits a chunk at a time, and once more for the gradients; softmax and its gradient are one pass over them there.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor


@functools.cache
def installed() -> bool:
    return find_spec("liger_kernel") is not None


@functools.cache
def _kernel() -> Any:
    from liger_kernel.ops.fused_linear_cross_entropy import LigerFusedLinearCrossEntropyFunction

    return LigerFusedLinearCrossEntropyFunction


def fused_log_likelihood(states: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """[tokens] in fp32, with a gradient for each token: only `reduction="none"` takes one. Gradients of the weight are summed in fp32."""
    narrow = weight.to(states.dtype)
    ignored, smoothing, z_loss = -100, 0.0, 0.0
    found: tuple[Tensor, ...] = _kernel().apply(
        states, narrow, targets, None, None, ignored, z_loss, smoothing, "none", None, False, torch.promote_types(narrow.dtype, torch.float32)
    )
    return -found[0]
