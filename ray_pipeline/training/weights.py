"""What is trained, and the optimizer's state of it, as whole plain tensors by name, whatever the strategy.

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
from ray_pipeline.models.parameters import misfits


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def whole(tensor: Tensor) -> Tensor:
    """The tensor without its sharding, on the CPU."""
    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach().cpu().contiguous()


def _laid_like(tensor: Tensor, pattern: Tensor) -> Tensor:
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
            parameter.copy_(_laid_like(tensors[name].to(parameter.dtype), parameter))


def optimizer_tensors(parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """`<parameter>/<what>`: Adam's averages and step counts. Rates and betas are settings, not state."""
    return {
        f"{name}/{key}": whole(value).clone()
        for name, parameter in parameters.items()
        for key, value in sorted(optimizer.state.get(parameter, {}).items())
        if isinstance(value, Tensor)
    }


def load_optimizer(parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], where: object) -> None:
    """Put Adam's state back: averages laid as their parameter is, a step count whole beside it, as the fused kernel wants it."""
    unknown = sorted({key.rpartition("/")[0] for key in tensors} - parameters.keys())
    if unknown:
        raise ModelError(f"{where}: it has averages of {len(unknown)} parameters that are not trained here ({', '.join(unknown[:3])})")
    for key, value in sorted(tensors.items()):
        name, _, what = key.rpartition("/")
        parameter = parameters[name]
        counter = value.shape != parameter.shape
        optimizer.state[parameter][what] = (value.to(parameter.device) if counter else _laid_like(value, parameter)).clone()
