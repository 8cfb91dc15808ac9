"""NEFTune: noise on the embeddings of tokens while training (Jain et al. 2023, arXiv 2310.05914).

e + uniform(-1, 1) alpha / sqrt(L d)        L: tokens of the conversation, d: size of the embeddings
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class EmbeddingNoise:
    """A forward hook on the table of token embeddings. `lengths` [batch, length]: of the conversation that each token belongs to."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha
        self.lengths: Tensor | None = None

    def __call__(self, table: nn.Module, arguments: tuple[Any, ...], embedded: Tensor) -> Tensor:
        if self.lengths is None or not table.training:
            return embedded
        scale = self.alpha / (self.lengths * embedded.shape[-1]).sqrt()
        return embedded + torch.empty_like(embedded).uniform_(-1, 1) * scale[..., None].to(embedded.dtype)


def segment_lengths(mask: Tensor | None, segments: tuple[int, ...] | None, device: torch.device) -> Tensor:
    """[batch, length] or [1, length] as float."""
    if segments is not None:
        lengths = torch.tensor(segments, device=device)
        return lengths.repeat_interleave(lengths)[None].float()
    assert mask is not None
    return mask.sum(1, keepdim=True).expand(mask.shape).float()
