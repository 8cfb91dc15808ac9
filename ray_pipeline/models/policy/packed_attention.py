"""Attention where one row of tokens holds several conversations, one behind the other, none of which sees another.

The row is cut into its conversations and each attends to itself alone. A mask over the whole row says the same, and has the products of every
conversation with every other one computed before they are masked: with 8 of 500 tokens in a row, eight times the work. Positions begin
anew in each conversation, which is the caller's to say (`position_ids`).

Traps. Rows are cut with one `split`, whose gradient is one concatenation; slices would each have a gradient as long as the row. Layers that
look back over a window only (`sliding_window`) do so inside each conversation.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from ray_pipeline.errors import ModelError
from ray_pipeline.models.batched_products import attention

NAME: Final = "packed"
_CHANGED: Final = ("softcap", "s_aux", "position_bias")  # what some models do to their scores beyond scaling


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    segments: Sequence[int] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """[1, heads, length, size] -> [1, length, heads, size], as transformers calls it; `segments`, the conversations' lengths, come with the
    model's own arguments."""
    if segments is None or any(options.get(name) is not None for name in _CHANGED):
        raise ModelError(f"{type(module).__name__} attends in a way of its own, which packed rows do not reproduce; set micro.packing=false")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    rate = dropout if module.training else 0.0
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    parts = zip(*(torch.split(one, list(segments), dim=2) for one in (query, key, value)), strict=True)
    states = torch.cat([_segment(q, k, v, scale, rate, sliding_window) for q, k, v in parts], dim=2)
    return states.transpose(1, 2).contiguous(), None


def _segment(query: Tensor, key: Tensor, value: Tensor, scale: float, dropout: float, window: int | None) -> Tensor:
    length = query.shape[2]
    if window is None or length <= window:
        return attention(query, key, value, None, scale, dropout, causal=True)
    back = torch.arange(length, device=query.device)[:, None] - torch.arange(length, device=query.device)
    return attention(query, key, value, ((back >= 0) & (back < window))[None, None], scale, dropout)


def _no_mask(*_: Any, **__: Any) -> None:
    """Who sees whom is the segments' to say."""


@functools.cache
def register() -> None:
    """Make it known to transformers, which then takes it by its name."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _no_mask)
