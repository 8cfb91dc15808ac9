"""An embedder: a backbone, pooling, optional projection layers, optional truncation, normalisation.

The layout on disk is sentence-transformers': `modules.json` names the steps after the backbone, so any such model
loads here with its own pooling and projection, and gives the same vectors to 1e-5 in fp32. A plain backbone without
`modules.json` needs `pooling` to be set.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from ray_pipeline.errors import ModelError
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.pooling import Pooling, pool
from ray_pipeline.models.source import locate
from ray_pipeline.text.batches import pad, plan_batches
from ray_pipeline.text.prompts import Side
from ray_pipeline.text.tokens import TextEncoder, Tokens

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_NEW_STYLE: dict[str, Pooling] = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
_OLD_STYLE: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
_ACTIVATIONS: dict[str, type[nn.Module]] = {"Identity": nn.Identity, "Tanh": nn.Tanh, "GELU": nn.GELU, "ReLU": nn.ReLU}


class Embedder(nn.Module):
    """The model on one device."""

    def __init__(self, settings: EmbedderSettings, device: str = "cpu") -> None:
        super().__init__()
        files = locate(settings.name, settings.revision)
        self.settings = settings
        self.device = torch.device(device)
        self.tokenizer = TextEncoder(files.folder, settings.max_length, settings.terminal_token)
        self.backbone = _load_backbone(files.folder, settings).to(self.device).eval()
        self.pooling, self.projection, self.normalize = _read_modules(files.folder, settings)
        self.projection.to(self.device).eval()
        self._check_limits(files.folder)

    def _check_limits(self, folder: Path) -> None:
        positions = getattr(self.backbone.config, "max_position_embeddings", None)
        if positions is not None and self.settings.max_length > positions:
            raise ModelError(f"{folder}: max_length={self.settings.max_length}, but the model has {positions} positions")
        if self.settings.dim is not None and self.settings.dim > self.output_dim:
            raise ModelError(f"{folder}: dim={self.settings.dim}, but the model's vectors have {self.full_dim} dimensions")

    @property
    def full_dim(self) -> int:
        linear = [layer for layer in self.projection.modules() if isinstance(layer, nn.Linear)]
        return linear[-1].out_features if linear else int(self.backbone.config.hidden_size)

    @property
    def output_dim(self) -> int:
        return self.full_dim if self.settings.dim is None else self.settings.dim

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """[batch, length] -> [batch, output_dim] in float32."""
        states = self.backbone(input_ids=input_ids, attention_mask=mask).last_hidden_state
        vectors = self.projection(pool(states, mask, self.pooling))
        if self.settings.dim is not None:
            vectors = vectors[:, : self.settings.dim]
        return nn.functional.normalize(vectors, dim=-1) if self.normalize else vectors

    def tokenize(self, texts: list[str], side: Side) -> Tokens:
        return self.tokenizer.encode(texts, self.settings.prompt.wrap(side))

    @torch.inference_mode()
    def encode(self, tokens: Tokens, token_budget: int, max_rows: int) -> NDArray[np.float32]:
        """Vectors of tokenised texts, in their order. The batch plan moves their last bits: padding changes the kernels' shapes."""
        vectors = np.empty((len(tokens), self.output_dim), dtype=np.float32)
        for rows, input_ids, mask in self._batches(tokens, token_budget, max_rows):
            vectors[rows] = self(input_ids, mask).cpu().numpy()
        return vectors

    def _batches(self, tokens: Tokens, token_budget: int, max_rows: int) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor]]:
        for rows in plan_batches(tokens.lengths, token_budget, max_rows):
            ids, mask = pad(tokens.ids, tokens.offsets, rows, self.tokenizer.pad_id)
            yield rows, torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)


def _load_backbone(folder: Path, settings: EmbedderSettings) -> Any:
    from transformers import AutoConfig, AutoModel  # seconds to import, so only where a model is loaded
    from transformers.utils import logging

    logging.disable_progress_bar()
    changes: dict[str, Any] = {} if settings.layers is None else {"num_hidden_layers": settings.layers}
    if settings.attention != "auto":
        changes["attn_implementation"] = settings.attention
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    layers = getattr(config, "num_hidden_layers", None)
    if settings.layers is not None and layers is not None and settings.layers > layers:
        raise ModelError(f"{folder}: layers={settings.layers}, but the model has {layers}")
    dtype = _DTYPES[settings.precision]
    return AutoModel.from_pretrained(folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, **changes)


def _read_modules(folder: Path, settings: EmbedderSettings) -> tuple[Pooling, nn.Sequential, bool]:
    """Pooling, projection and normalisation as `modules.json` has them; what the settings say wins."""
    listing = folder / "modules.json"
    modules = json.loads(listing.read_text()) if listing.exists() else []
    pooling: Pooling | None = None
    projection: list[nn.Module] = []
    for module in modules:
        kind = module["type"].rsplit(".", 1)[-1]
        place = folder / module["path"]
        if kind == "Pooling":
            pooling = _pooling_mode(place / "config.json")
        elif kind == "Dense":
            projection.append(_dense(place))
        elif kind not in ("Transformer", "Normalize"):
            raise ModelError(f"{listing}: module {module['type']} is not supported (Transformer, Pooling, Dense and Normalize are)")
    if settings.pooling != "auto":
        pooling = settings.pooling
    if pooling is None:
        raise ModelError(f"{folder}: no modules.json tells the pooling; set model.pooling=mean, cls or last")
    normalize = not modules or any(module["type"].endswith("Normalize") for module in modules)
    return pooling, nn.Sequential(*projection), normalize if settings.normalize is None else settings.normalize


def _pooling_mode(config: Path) -> Pooling:
    values = json.loads(config.read_text())
    if values.get("pooling_mode") in _NEW_STYLE:
        return _NEW_STYLE[values["pooling_mode"]]
    chosen = [how for key, how in _OLD_STYLE.items() if values.get(key)]
    if len(chosen) != 1:
        raise ModelError(f"{config}: the pooling is none of mean, cls, last alone; set model.pooling")
    return chosen[0]


def _dense(folder: Path) -> nn.Module:
    config = json.loads((folder / "config.json").read_text())
    linear = nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
    weights = load_file(folder / "model.safetensors")
    linear.load_state_dict({name.removeprefix("linear."): value for name, value in weights.items()})
    activation = str(config.get("activation_function", "Identity")).rsplit(".", 1)[-1]
    if activation not in _ACTIVATIONS:
        raise ModelError(f"{folder}: activation {activation!r} is not supported ({', '.join(_ACTIVATIONS)} are)")
    return nn.Sequential(linear, _ACTIVATIONS[activation]())
