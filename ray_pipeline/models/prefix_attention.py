"""Attention where one row of tokens holds a text and many that continue it: a head, then bodies that do not see each other.

    a token of the head   sees the head up to itself
    a token of a body     sees the whole head, and its own body up to itself

A mask over the whole row says the same, and has every body's products with every other one computed before they are masked: with 25
bodies of 30 tokens behind a head of 300, four times the work. Here each body's scores are two products, with the head and with itself, under
one softmax. Scores and weights are in the precision of the queries.

Trap. Scores of a body against the head are written out, so bodies are taken a few at a time: that is what SCORES_BYTES bounds.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ray_pipeline.errors import ModelError

NAME: Final = "shared_prefix"
SCORES_BYTES: Final = 64 << 20
_CHANGED: Final = ("softcap", "s_aux", "position_bias")  # what some models do to their scores beyond scaling


@dataclass(frozen=True, eq=False)
class PrefixLayout:
    """Where the head and the bodies stand in a row."""

    head: int  # tokens
    places: Tensor  # [n, L] each body's tokens in the row; a short body repeats its last
    back: Tensor  # [all tokens of bodies] each one's place in the flattened `places`


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    layout: PrefixLayout | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """[1, heads, length, size] -> [1, length, heads, size], as transformers calls it; `layout` comes with the model's own arguments."""
    if layout is None or any(options.get(name) is not None for name in _CHANGED):
        raise ModelError(
            f"{type(module).__name__} attends in a way of its own, which a shared prefix does not reproduce; set score.shared_prefix=false"
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    groups = query.shape[1] // key.shape[1]
    heads, keys, values = query[0].view(-1, groups, *query.shape[2:]), key[0], value[0]
    states = torch.cat([_head(heads, keys, values, layout.head, scale), _bodies(heads * scale, keys, values, layout)], dim=2)
    return states.flatten(0, 1).transpose(0, 1)[None].contiguous(), None


def _head(query: Tensor, key: Tensor, value: Tensor, length: int, scale: float) -> Tensor:
    """[key heads, groups, T, size] -> [key heads, groups, length, size]."""
    q, k, v = query[:, :, :length], key[:, None, :length], value[:, None, :length]
    return functional.scaled_dot_product_attention(q, k.expand(q.shape), v.expand(q.shape), is_causal=True, scale=scale)


def _bodies(query: Tensor, key: Tensor, value: Tensor, layout: PrefixLayout) -> Tensor:
    """[key heads, groups, T, size] -> [key heads, groups, all tokens of bodies, size]."""
    length = layout.places.shape[1]
    a_body = query.shape[0] * query.shape[1] * length * (layout.head + length) * query.element_size()
    states = [_some_bodies(query, key, value, layout.head, places) for places in torch.split(layout.places, max(1, SCORES_BYTES // a_body))]
    return torch.cat(states, dim=1).transpose(1, 2).flatten(2, 3)[:, :, layout.back]


def _some_bodies(query: Tensor, key: Tensor, value: Tensor, head: int, places: Tensor) -> Tensor:
    """[key heads, groups, T, size] -> [key heads, bodies, groups, L, size]."""
    kinds, groups, _, size = query.shape
    count, length = places.shape
    q = query[:, :, places].transpose(1, 2)  # [key heads, bodies, groups, L, size]
    k, v = key[:, places], value[:, places]  # [key heads, bodies, L, size]
    to_head = q.reshape(kinds, -1, size) @ key[:, :head].transpose(1, 2)
    to_self = q.reshape(kinds, count, groups * length, size) @ k.transpose(2, 3)
    later = torch.ones(length, length, dtype=torch.bool, device=query.device).triu(1)
    to_self = to_self.view(kinds, count, groups, length, length).masked_fill(later, -torch.inf)
    weights = torch.cat([to_head.view(kinds, count, groups, length, head), to_self], dim=-1).softmax(-1)
    of_head = weights[..., :head].reshape(kinds, -1, head) @ value[:, :head]
    of_self = weights[..., head:].reshape(kinds, count, groups * length, length) @ v
    return of_head.view(q.shape) + of_self.view(q.shape)


@contextmanager
def prefix_attention(model: Any) -> Iterator[None]:
    """The model attends so; it is to be given `layout`."""
    _register()
    usual = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(usual)


def _no_mask(*_: Any, **__: Any) -> None:
    """Who sees whom is the layout's to say."""


@functools.cache
def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _no_mask)
