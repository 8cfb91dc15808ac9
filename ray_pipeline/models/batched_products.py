"""Attention of short texts on a CPU in half precision: two batched matrix products and a softmax.

    softmax(Q K^T * scaling + mask) V      scores and weights in the precision of Q, sums inside each product and softmax in fp32

torch's fused attention never holds the scores; on CPUs it pays for that with small blocks of work, and in half precision most of all in
its backward pass. For texts of up to a few hundred tokens the scores are small: two products over the whole batch train MiniLM
1.4 times as fast (docs/results.md). Above LONGEST tokens, and in fp32, it is torch's kernel that runs.

Traps. The scores of all heads are alive at once (2 bytes each): that is what LONGEST bounds. A row that may see nothing is not -inf
everywhere, which would make it NaN: what is masked lies at -30,000, within the range of fp16.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME: Final = "products"
LONGEST: Final = 384
_MASKED: Final = -30_000.0


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """[batch, heads, length, size] -> [batch, length, heads, size], as transformers calls it. `attention_mask`: true where a token may look."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    rate = dropout if module.training else 0.0
    return attention(query, key, value, attention_mask, scale, rate).transpose(1, 2).contiguous(), None


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, dropout: float, *, causal: bool = False) -> Tensor:
    """[batch, heads, length, size] each -> the same. `causal`: a token looks no further than itself, and there is no mask."""
    kind, length = query.device.type, key.shape[2]
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype
    if kind != "cpu" or dtype == torch.float32 or length > LONGEST:
        return functional.scaled_dot_product_attention(query, key, value, mask, dropout_p=dropout, scale=scale, is_causal=causal)
    if causal:
        mask = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
    return _products(query.to(dtype), key.to(dtype), value.to(dtype), mask, scale, dropout)


def _products(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, dropout: float) -> Tensor:
    batch, heads, length, _ = query.shape
    q, k, v = (one.reshape(batch * heads, -1, one.shape[-1]) for one in (query, key, value))
    if mask is None:
        scores = torch.bmm(q * scale, k.transpose(1, 2))
    else:
        bias = torch.zeros(mask.shape, dtype=q.dtype, device=q.device).masked_fill_(~mask, _MASKED)
        scores = torch.baddbmm(bias.expand(batch, heads, length, -1).reshape(batch * heads, length, -1), q, k.transpose(1, 2), alpha=scale)
    weights = functional.dropout(scores.softmax(-1), dropout, training=dropout > 0)
    return torch.bmm(weights, v).view(batch, heads, length, -1)


def _mask(*arguments: Any, **options: Any) -> Tensor | None:
    """transformers' mask of truth values, always written out but where all is seen."""
    from transformers.masking_utils import sdpa_mask

    found: Tensor | None = sdpa_mask(*arguments, **{**options, "allow_is_causal_skip": False})
    return found


@functools.cache
def register() -> None:
    """Make it known to transformers, which then takes it by its name."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _mask)
