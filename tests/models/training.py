"""What the tests of trained models share: a few steps of training, and vectors of a few texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ray_pipeline.config import parse
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.text.prompts import Side

TEXTS = ["the cat sat on the mat .", "a dog ran", "far " * 100, "a", "unknown words everywhere", "the dog and the cat ran far and far ."]
IDS = torch.tensor([[7, 8, 9, 10], [11, 8, 9, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


def settings_of(folder: Path, **given: Any) -> EmbedderSettings:
    return parse(EmbedderSettings, {"name": str(folder), "max_length": 16, **given})


def vectors(embedder: Embedder, side: Side = "document", texts: list[str] = TEXTS) -> NDArray[np.float32]:
    return embedder.encode(embedder.tokenize(texts, side), 256, 64)


def backward(embedder: Embedder) -> None:
    found = embedder(IDS, MASK)
    (found @ torch.linspace(-1, 1, found.shape[1])).sum().backward()


def train(embedder: Embedder, steps: int = 2, lr: float = 5e-2) -> None:
    """Enough to move every trained tensor (the second factor of an adapter starts at zero, so the first moves from step two)."""
    optimizer = torch.optim.SGD([parameter for parameter in embedder.parameters() if parameter.requires_grad], lr=lr)
    for _ in range(steps):
        backward(embedder)
        optimizer.step()
        optimizer.zero_grad()
