"""An embedder: a backbone, pooling, optional projection layers, optional truncation, normalisation.

The layout on disk is sentence-transformers': `modules.json` names the steps after the backbone, so any such model
loads here with its own pooling and projection, and gives the same vectors to 1e-5 in fp32. A plain backbone without
`modules.json` needs `pooling` to be set.

Pooling, projection and normalisation are in fp32 also under autocast: they cost nothing, and losses feel their last bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ray_pipeline.errors import ModelError, SettingsError
from ray_pipeline.models.answering import answering
from ray_pipeline.models.backbone import load_backbone, positions
from ray_pipeline.models.embedder_record import as_trained
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.held_weights import Weights
from ray_pipeline.models.pooling import pool
from ray_pipeline.models.reading_direction import set_direction
from ray_pipeline.models.sentence_modules import output_size, read_steps
from ray_pipeline.models.source import locate
from ray_pipeline.models.text_input import text_input
from ray_pipeline.text.batches import pad, plan_batches
from ray_pipeline.text.prompts import Side
from ray_pipeline.text.tokens import Tokens


class Embedder(nn.Module):
    """The model on one device. `settings` are the given ones, completed by what the model was trained with."""

    def __init__(self, settings: EmbedderSettings, device: str = "cpu", weights: Weights | None = None) -> None:
        super().__init__()
        self.files = locate(settings.name, settings.revision)
        folder = self.files.folder
        self.settings = as_trained(settings, folder)
        self.device = torch.device(device)
        self.text_input = text_input(self.settings, folder)
        self.weights = weights or Weights(settings.precision)
        self.backbone = load_backbone(folder, self.settings, self.weights, self.device)
        set_direction(folder, self.backbone, self.settings.bidirectional)
        self.hidden = int(self.backbone.config.hidden_size)
        steps = read_steps(folder, self.settings, self.hidden)
        self.pooling, self.projection, self.normalize = steps.pooling, steps.projection, steps.normalize
        self.heads: tuple[str, ...] = ()
        self.projection.to(self.device).eval()
        self._check_limits()
        self._check_terminal()
        self.eval()

    def _check_limits(self) -> None:
        folder, length = self.files.folder, self.text_input.encoder.max_length
        most = positions(self.backbone)
        if most is not None and length > most:
            raise ModelError(f"{folder}: max_length={length}, but the model has {most} positions")
        if self.settings.dim is not None and self.settings.dim > self.full_dim:
            raise ModelError(f"{folder}: dim={self.settings.dim}, but the model's vectors have {self.full_dim} dimensions")

    def _check_terminal(self) -> None:
        if self.settings.terminal_token is not None and self.pooling != "last":
            raise SettingsError(f"terminal_token is read by pooling=last; the pooling here is {self.pooling}, which it would only blur")

    @property
    def full_dim(self) -> int:
        return output_size(self.projection, self.hidden)

    @property
    def output_dim(self) -> int:
        return self.full_dim if self.settings.dim is None else self.settings.dim

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """[batch, length] -> [batch, output_dim] in float32."""
        states = self.backbone(input_ids=input_ids, attention_mask=mask).last_hidden_state
        with torch.autocast(states.device.type, enabled=False):
            vectors = self.projection(pool(states, mask, self.pooling))
            if self.settings.dim is not None:
                vectors = vectors[:, : self.settings.dim]
            return nn.functional.normalize(vectors, dim=-1) if self.normalize else vectors

    def tokenize(self, texts: Sequence[str], side: Side) -> Tokens:
        return self.text_input.tokens(texts, side)

    def encode(self, tokens: Tokens, token_budget: int, max_rows: int) -> NDArray[np.float32]:
        """Vectors of tokenised texts, in their order, without dropout. The batch plan moves their last bits: padding changes
        the kernels' shapes."""
        vectors = np.empty((len(tokens), self.output_dim), dtype=np.float32)
        with answering(self):
            for rows, input_ids, mask in self._batches(tokens, token_budget, max_rows):
                vectors[rows] = self(input_ids, mask).cpu().numpy()
        return vectors

    def _batches(self, tokens: Tokens, token_budget: int, max_rows: int) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor]]:
        for rows in plan_batches(tokens.lengths, token_budget, max_rows):
            ids, mask = pad(tokens.ids, tokens.offsets, rows, self.text_input.encoder.pad_id)
            yield rows, torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)
