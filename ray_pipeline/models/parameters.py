"""The trainable parameters of an embedder: what each one is, how many there are, and their values by name.

Kinds, which an optimizer may give rates of their own: `lora_a` and `lora_b` (the two factors of an adapter; B starts at zero
and wants a larger rate, Hayou et al. 2024, arXiv 2402.12354), `embed_tokens` (the table of token embeddings), `head` (all
projection layers behind the pooling), `body` (the rest).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from ray_pipeline.errors import ModelError

ParameterKind = Literal["lora_a", "lora_b", "embed_tokens", "head", "body"]


class Parts(Protocol):
    """What an embedder and its weightless skeleton have in common."""

    backbone: Any
    projection: nn.Sequential

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...


def parameter_kinds(model: Parts) -> dict[str, ParameterKind]:
    """The kind of every trainable parameter, by its name in `model.named_parameters()`."""
    table = {id(parameter) for parameter in model.backbone.get_input_embeddings().parameters()}
    return {name: _kind(name, id(parameter) in table) for name, parameter in model.named_parameters() if parameter.requires_grad}


def parameter_kind(model: Parts, name: str) -> ParameterKind:
    """The kind of one trainable parameter."""
    kinds = parameter_kinds(model)
    if name not in kinds:
        raise ModelError(f"{name!r} is not a trainable parameter of this model; it has {len(kinds)}, the first {', '.join(list(kinds)[:3])}")
    return kinds[name]


def _kind(name: str, in_token_table: bool) -> ParameterKind:
    parts = name.split(".")
    if "lora_A" in parts or "lora_embedding_A" in parts:
        return "lora_a"
    if "lora_B" in parts or "lora_embedding_B" in parts:
        return "lora_b"
    if parts[0] == "projection":
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


def trainable_state(model: Parts) -> dict[str, Tensor]:
    """Copies of all trainable parameters, on the CPU, by name: what a checkpoint holds of the model."""
    return {name: parameter.detach().to("cpu", copy=True).contiguous() for name, parameter in model.named_parameters() if parameter.requires_grad}


def load_trainable_state(model: Parts, tensors: Mapping[str, Tensor]) -> None:
    """Put the tensors of `trainable_state` back; whatever does not fit exactly is refused before anything is changed."""
    here = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    problems = misfits({name: parameter.shape for name, parameter in here.items()}, {name: value.shape for name, value in tensors.items()})
    if problems:
        raise ModelError(f"this is a checkpoint of another config: {'; '.join(problems)}. Resume with the settings it was written with")
    with torch.no_grad():
        for name, parameter in here.items():
            parameter.copy_(tensors[name])


def misfits(here: Mapping[str, torch.Size], given: Mapping[str, torch.Size]) -> list[str]:
    """In what two sets of named shapes differ, in words."""
    lacking = [name for name in here if name not in given]
    unknown = [name for name in given if name not in here]
    other = [f"{name} is {list(given[name])}, here {list(shape)}" for name, shape in here.items() if name in given and given[name] != shape]
    found = []
    if lacking:
        found.append(f"it lacks {len(lacking)} tensors ({_some(lacking)})")
    if unknown:
        found.append(f"it has {len(unknown)} tensors that are not trained here ({_some(unknown)})")
    if other:
        found.append(f"{len(other)} tensors have another shape ({_some(other)})")
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
