"""Linear layers of a model that only answers, on a CPU: weights laid out once, as oneDNN multiplies them.

torch gives products in fp32 to MKL, which on CPUs of other makers than its own takes its plainest kernels: 183 GFLOP/s where oneDNN makes
420 (two EPYC cores). Products in bf16 go to oneDNN already, which lays the weights out anew each time. Sums are in fp32 either way.

Traps. A packed layer has no gradient and cannot be saved. Only layers of the repeated blocks are packed: heads and output matrices are
read elsewhere, row by row.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


class PackedLinear(nn.Module):
    """`x W^T + b`. The weight is opaque: it has a type, and no elements to look at."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.weight = torch.ops.mkldnn._reorder_linear_weight(plain.weight.detach(), None)
        self.bias = None if plain.bias is None else plain.bias.detach()

    def forward(self, states: Tensor) -> Tensor:
        product: Tensor = torch.ops.mkldnn._linear_pointwise(states, self.weight, self.bias, "none", [], "")
        return product


def packed(model: Model) -> Model:
    """The model, for inference alone from now on; unchanged where it is not on a CPU with oneDNN, or in a precision that oneDNN lacks here."""
    if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        for blocks in [module for module in model.modules() if isinstance(module, nn.ModuleList)]:
            _pack(blocks)
    return model


def _pack(module: nn.Module) -> None:
    for name, child in list(module.named_children()):
        if type(child) is nn.Linear and name != "base_layer":  # an adapter reads the weight below it
            if _can_be(child.weight):
                setattr(module, name, PackedLinear(child))
        else:
            _pack(child)


def _can_be(weight: Tensor) -> bool:
    if weight.device.type != "cpu":
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return weight.dtype == torch.float32
