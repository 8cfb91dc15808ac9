"""Adam's state as whole plain tensors by name and back, whatever the strategy; see `models/trained_weights.py`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ray_pipeline.errors import ModelError
from ray_pipeline.models.trained_weights import laid_like, whole


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
        optimizer.state[parameter][what] = (value.to(parameter.device) if counter else laid_like(value, parameter)).clone()
