"""The trainable parameters of a model: what each one is, and how many there are.

Kinds, which an optimizer may give rates of their own: `lora_a` and `lora_b` (the two factors of an adapter; B starts at zero
and wants a larger rate, Hayou et al. 2024, arXiv 2402.12354), `embed_tokens` (the table of token embeddings), `head` (all
projection layers behind the pooling, a classifier's head), `body` (the rest).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import nn

from ray_pipeline.errors import ModelError

ParameterKind = Literal["lora_a", "lora_b", "embed_tokens", "head", "body"]


class Parts(Protocol):
    """What models and an embedder's weightless skeleton have in common."""

    backbone: Any
    projection: nn.Sequential  # what stands behind the backbone
    heads: tuple[str, ...]  # what of the backbone is a head, which is trained whole whatever else is

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...


def parameter_kinds(model: Parts) -> dict[str, ParameterKind]:
    """The kind of every trainable parameter, by its name in `model.named_parameters()`."""
    table = {id(parameter) for parameter in model.backbone.get_input_embeddings().parameters()}
    return {name: _kind(name, model.heads, id(parameter) in table) for name, parameter in model.named_parameters() if parameter.requires_grad}


def parameter_kind(model: Parts, name: str) -> ParameterKind:
    """The kind of one trainable parameter."""
    kinds = parameter_kinds(model)
    if name not in kinds:
        raise ModelError(f"{name!r} is not a trainable parameter of this model; it has {len(kinds)}, the first {', '.join(list(kinds)[:3])}")
    return kinds[name]


def in_head(heads: tuple[str, ...], name: str) -> bool:
    """Whether a module or parameter is one of `heads` or lies in one; adapters put more names around it."""
    return any(f".{head}." in f".{name}." for head in heads)


def _kind(name: str, heads: tuple[str, ...], in_token_table: bool) -> ParameterKind:
    parts = name.split(".")
    if "lora_A" in parts or "lora_embedding_A" in parts:
        return "lora_a"
    if "lora_B" in parts or "lora_embedding_B" in parts:
        return "lora_b"
    if parts[0] == "projection" or in_head(heads, name):
        return "head"
    return "embed_tokens" if in_token_table else "body"


@dataclass(frozen=True)
class ParameterCounts:
    """How many numbers a model holds, and how many of them are trained."""

    total: int
    by_kind: Mapping[ParameterKind, int]

    @property
    def trainable(self) -> int:
        return sum(self.by_kind.values())


def counts(model: Parts) -> ParameterCounts:
    """Counts of a model as it is. 4-bit codes count as stored, two to a byte; a skeleton counts them one by one."""
    kinds = parameter_kinds(model)
    by_kind: dict[ParameterKind, int] = {}
    total = 0
    for name, parameter in model.named_parameters():
        total += parameter.numel()
        if name in kinds:
            by_kind[kinds[name]] = by_kind.get(kinds[name], 0) + parameter.numel()
    return ParameterCounts(total, by_kind)
