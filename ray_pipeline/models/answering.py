"""A model that is asked in the middle of its training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def answering(model: nn.Module) -> Iterator[None]:
    """Without dropout while the block lasts. Every module of a model is told, which takes as long as a short text: not where it is so already."""
    if not model.training:
        yield
        return
    model.eval()
    try:
        yield
    finally:
        model.train()
