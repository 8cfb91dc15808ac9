"""A model that is asked in the middle of its training, or after it.

Trap: in inference mode FSDP's first pass makes buffers that no later pass may train with, so a model in training is asked without gradients only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def answering(model: nn.Module) -> Iterator[None]:
    """Without gradients and dropout while the block lasts. Every module of a model is told, which takes as long as a short text: not where it
    is so already."""
    if not model.training:
        with torch.inference_mode():
            yield
        return
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train()
