"""What is trained of a model, as whole plain tensors by name and back, whatever the strategy.

Only parameters with `requires_grad` count: of a frozen 7B base with adapters, the adapters. A checkpoint therefore fits any
number of ranks and either strategy, which is what lets a run go on after the cluster has changed.

Trap: under FSDP putting the shards together is a collective, which every rank must enter for the same tensor. A safetensors
file hands out its tensors in another order in every process, so what was read from one is gone through by name.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from ray_pipeline.errors import ModelError


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def whole(tensor: Tensor) -> Tensor:
    """The tensor without its sharding, on the CPU."""
    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach().cpu().contiguous()


def laid_like(tensor: Tensor, pattern: Tensor) -> Tensor:
    """The whole tensor, on the pattern's device and sharded as it is: each rank cuts its shard out of what it has read itself."""
    moved = tensor.to(device=pattern.device)
    if not isinstance(pattern, DTensor):
        return moved
    return distribute_tensor(moved, pattern.device_mesh, pattern.placements, src_data_rank=None)


def parameter_tensors(parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    return {name: whole(parameter).clone() for name, parameter in parameters.items()}


def load_parameters(parameters: Mapping[str, nn.Parameter], tensors: Mapping[str, Tensor], where: object) -> None:
    """Put trained parameters back; what does not fit is refused before anything is changed."""
    problems = misfits({name: one.shape for name, one in parameters.items()}, {name: one.shape for name, one in tensors.items()})
    if problems:
        raise ModelError(f"{where}: a checkpoint of another model or other settings: {'; '.join(problems)}. Go on with those it was written with")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(laid_like(tensors[name].to(parameter.dtype), parameter))


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
