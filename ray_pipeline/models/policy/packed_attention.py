"""Attention where one row of tokens holds several conversations, one behind the other, none of which sees another.

The row is cut into its conversations and each attends to itself alone. A mask over the whole row says the same, and has the products of every
conversation with every other one computed before they are masked: with 8 of 500 tokens in a row, eight times the work. Positions begin
anew in each conversation, which is the caller's to say (`position_ids`).

A segment may continue another one, its head, instead of beginning anew: it attends to the head as a whole and to itself. So the answers to one prompt
stand behind it as segments, and the prompt's keys and values are computed once, however many there are; the gradients of all answers meet in them.

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
    heads: Sequence[int] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """[1, heads, length, size] -> [1, length, heads, size], as transformers calls it; `segments`, their lengths, and `heads`, the place of the
    segment that each continues (its own where it begins anew), come with the model's own arguments."""
    if segments is None or any(options.get(name) is not None for name in _CHANGED):
        raise ModelError(f"{type(module).__name__} attends in a way of its own, which packed rows do not reproduce; set micro.packing=false")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    rate = dropout if module.training else 0.0
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    queries, keys, values = (torch.split(one, list(segments), dim=2) for one in (query, key, value))
    if heads is None:
        states = [_segment(q, k, v, scale, rate, sliding_window) for q, k, v in zip(queries, keys, values, strict=True)]
    else:
        states = [_behind(place, head, queries, keys, values, scale, rate, sliding_window) for place, head in enumerate(heads)]
    return torch.cat(states, dim=2).transpose(1, 2).contiguous(), None


def _behind(
    place: int,
    head: int,
    queries: Sequence[Tensor],
    keys: Sequence[Tensor],
    values: Sequence[Tensor],
    scale: float,
    dropout: float,
    window: int | None,
) -> Tensor:
    if head == place:
        return _segment(queries[place], keys[place], values[place], scale, dropout, window)
    key, value = (torch.cat([of[head], of[place]], dim=2) for of in (keys, values))
    length, before = queries[place].shape[2], keys[head].shape[2]
    back = torch.arange(before, before + length, device=key.device)[:, None] - torch.arange(before + length, device=key.device)
    seen = back >= 0 if window is None else (back >= 0) & (back < window)
    return attention(queries[place], key, value, seen[None, None], scale, dropout)


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
