"""AdamW with a learning rate for each kind of parameter (Loshchilov and Hutter, arXiv 1711.05101).

LoRA's B wants a higher rate than its A (LoRA+, arXiv 2402.12354), token embeddings and a fresh projection another than a
pretrained body. Weight decay pulls towards zero what multiplies inputs; norms' gains, biases and scalars (all that has
fewer than two dimensions) are left alone.

Each group keeps its peak in `initial_lr`, where torch's own schedulers look for it, and the names of its parameters, so
that the state in a checkpoint can be told from that of another model.

Trap: a rate for a kind that the model does not have would be read by nothing, and a comparison of such rates would
compare equal runs; it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import AdamW, Optimizer

from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.training.settings import OptimizerSettings
from ray_pipeline.training.settings import ParameterKind as ParameterKind

KINDS: tuple[ParameterKind, ...] = ("body", "lora_a", "lora_b", "embed_tokens", "head")
_FUSED = ("cpu", "cuda")  # devices whose AdamW has a fused kernel: one pass over a tensor instead of a dozen


def build_optimizer(parameters: Iterable[tuple[str, Parameter, ParameterKind]], settings: OptimizerSettings, device: torch.device | str) -> AdamW:
    """AdamW over (name, parameter, kind), in groups by kind and by whether weight decay applies; names in each as they come."""
    members: dict[tuple[ParameterKind, bool], list[tuple[str, Parameter]]] = {(kind, decays): [] for kind in KINDS for decays in (True, False)}
    names: dict[int, str] = {}
    for name, parameter, kind in parameters:
        if not parameter.requires_grad:
            raise ModelError(f"{name} does not require a gradient, and the optimizer would never move it; give trainable parameters only")
        if id(parameter) in names:
            raise ModelError(f"{names[id(parameter)]} and {name} are one parameter (tied weights); give it once, under one kind")
        if (kind, True) not in members:
            raise ModelError(f"{name} is of kind {kind!r}; there are {', '.join(KINDS)}")
        names[id(parameter)] = name
        members[kind, decayed(name, parameter)].append((name, parameter))
    if not names:
        raise ModelError("no parameter is trainable; choose an adaptation that trains something")
    _check_rates(settings, {kind for (kind, _), group in members.items() if group})
    groups = [_group(kind, decays, group, settings) for (kind, decays), group in members.items() if group]
    # lr and weight decay stand in every group; what AdamW is given here fills nothing in
    return AdamW(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps, fused=torch.device(device).type in _FUSED)


def decayed(name: str, parameter: Parameter) -> bool:
    """Whether weight decay applies."""
    return parameter.ndim >= 2 and name.rsplit(".", 1)[-1] != "bias"


def _check_rates(settings: OptimizerSettings, present: set[ParameterKind]) -> None:
    idle = [kind for kind in settings.own_rates() if kind not in present]
    if idle:
        listed = ", ".join(f"optimizer.lr_{kind}" for kind in idle)
        raise SettingsError(f"{listed}: the model trains no such parameter (only {', '.join(sorted(present))}); set it to null")


def _group(kind: ParameterKind, decays: bool, members: list[tuple[str, Parameter]], settings: OptimizerSettings) -> dict[str, Any]:
    rate = settings.rate(kind)
    name = kind if decays else f"{kind}, no decay"
    return {"name": name, "params": members, "lr": rate, "initial_lr": rate, "weight_decay": settings.weight_decay if decays else 0.0}


@dataclass(frozen=True)
class GroupRow:
    """One parameter group as the report at the start shows it."""

    name: str
    tensors: int
    parameters: int
    lr: float  # peak
    weight_decay: float


def group_report(optimizer: Optimizer) -> list[GroupRow]:
    """What is trained, and how fast, a row a group."""
    return [
        GroupRow(
            name=group["name"],
            tensors=len(group["params"]),
            parameters=sum(parameter.numel() for parameter in group["params"]),
            lr=group["initial_lr"],
            weight_decay=group["weight_decay"],
        )
        for group in optimizer.param_groups
    ]


def group_table(rows: Iterable[GroupRow]) -> str:
    """The report as aligned text, with a last row of sums."""
    rows = list(rows)
    cells = [("group", "tensors", "parameters", "peak lr", "weight decay")]
    cells += [(row.name, f"{row.tensors:,}", f"{row.parameters:,}", f"{row.lr:g}", f"{row.weight_decay:g}") for row in rows]
    cells.append(("all", f"{sum(row.tensors for row in rows):,}", f"{sum(row.parameters for row in rows):,}", "", ""))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]).rstrip()
        for line in cells
    )
