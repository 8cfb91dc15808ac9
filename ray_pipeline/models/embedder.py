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
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ray_pipeline.errors import ModelError, SettingsError
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
        self._check_terminal()

    def _check_limits(self, folder: Path) -> None:
        positions = _positions(self.backbone)
        if positions is not None and self.settings.max_length > positions:
            raise ModelError(f"{folder}: max_length={self.settings.max_length}, but the model has {positions} positions")
        if self.settings.dim is not None and self.settings.dim > self.full_dim:
            raise ModelError(f"{folder}: dim={self.settings.dim}, but the model's vectors have {self.full_dim} dimensions")

    def _check_terminal(self) -> None:
        if self.settings.terminal_token is not None and self.pooling != "last":
            raise SettingsError(f"terminal_token is read by pooling=last; the pooling here is {self.pooling}, which it would only blur")

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


def _positions(backbone: Any) -> int | None:
    """How many tokens a text may have. RoBERTa's family counts positions from behind the padding id, so it has fewer than it says."""
    stated = getattr(backbone.config, "max_position_embeddings", None)
    padding = getattr(getattr(backbone, "embeddings", None), "padding_idx", None)
    return stated if stated is None or padding is None else int(stated) - int(padding) - 1


def _load_backbone(folder: Path, settings: EmbedderSettings) -> Any:
    from transformers import AutoConfig, AutoModel  # seconds to import, so only where a model is loaded
    from transformers.utils import logging

    logging.disable_progress_bar()
    loud = logging.get_verbosity()
    logging.set_verbosity_error()  # its report of weights is for people; what matters of it is checked below
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        changes = _changes(folder, settings, config)
        backbone, report = AutoModel.from_pretrained(
            folder, dtype=_DTYPES[settings.precision], use_safetensors=True, trust_remote_code=False, output_loading_info=True, **changes
        )
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as problem:
        raise ModelError(f"{folder}: the model cannot be loaded: {problem}") from problem
    finally:
        logging.set_verbosity(loud)
    absent = sorted(key for key in report["missing_keys"] if "pooler" not in key)  # a pooler is never asked
    if absent:
        raise ModelError(f"{folder}: the weights lack {len(absent)} tensors ({', '.join(absent[:3])}, ...), which would be random; get them all")
    backbone.config.use_cache = False  # keys and values of a decoder serve generation only
    return backbone


def _changes(folder: Path, settings: EmbedderSettings, config: Any) -> dict[str, Any]:
    """What the settings change of the model's own configuration."""
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{folder}: a {config.model_type} has an encoder and a decoder; an embedder has one of them")
    layers = getattr(config, "num_hidden_layers", None)
    if settings.layers is not None and layers is not None and settings.layers > layers:
        raise ModelError(f"{folder}: layers={settings.layers}, but the model has {layers}")
    changes: dict[str, Any] = {} if settings.layers is None else {"num_hidden_layers": settings.layers}
    return changes if settings.attention == "auto" else {**changes, "attn_implementation": settings.attention}


def _read_modules(folder: Path, settings: EmbedderSettings) -> tuple[Pooling, nn.Sequential, bool]:
    """Pooling, projection and normalisation as `modules.json` has them; what the settings say wins."""
    listing = folder / "modules.json"
    modules = json.loads(listing.read_text(encoding="utf-8")) if listing.exists() else []
    pooling: Pooling | None = None
    projection: list[nn.Module] = []
    for module in modules:
        kind = module["type"].rsplit(".", 1)[-1]
        place = folder / module["path"]
        if kind == "Transformer" and module["path"]:
            raise ModelError(f"{listing}: the backbone lies in {module['path']!r}; load and save the model with a recent sentence-transformers")
        if kind == "Pooling":
            pooling = _pooling_mode(place / "config.json", settings)
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


def _pooling_mode(config: Path, settings: EmbedderSettings) -> Pooling | None:
    """The model's own pooling; none where the settings decide."""
    values = json.loads(config.read_text(encoding="utf-8"))
    prompted = any(settings.prompt.wrap(side) != ("", "") for side in ("query", "document"))
    if values.get("include_prompt") is False and prompted:
        raise ModelError(f"{config}: the model pools without its prompt's tokens (include_prompt), which is not supported with a prompt")
    if settings.pooling != "auto":
        return None
    new = values.get("pooling_mode")
    named = [new] if isinstance(new, str) else new or [key for key, on in values.items() if key.startswith("pooling_mode_") and on is True]
    known: dict[str, Pooling] = {**_NEW_STYLE, **_OLD_STYLE}
    if len(named) != 1 or named[0] not in known:
        raise ModelError(f"{config}: the pooling is {' and '.join(named) or 'not given'}, not mean, cls or last alone; set model.pooling")
    return known[named[0]]


def _dense(folder: Path) -> nn.Module:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("use_residual") or config.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise ModelError(f"{folder}: a projection with a residual, or of something else than the pooled vector, is not supported")
    activation = str(config.get("activation_function", "Tanh")).rsplit(".", 1)[-1]  # sentence-transformers' own default
    if activation not in _ACTIVATIONS:
        raise ModelError(f"{folder}: activation {activation!r} is not supported ({', '.join(_ACTIVATIONS)} are)")
    file = folder / "model.safetensors"
    if not file.exists():
        raise ModelError(f"{folder}: no model.safetensors; convert its weights (pickled checkpoints are never loaded)")
    linear = nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
    try:
        linear.load_state_dict({name.removeprefix("linear."): value for name, value in load_file(file).items()})
    except (RuntimeError, SafetensorError) as problem:
        raise ModelError(f"{file}: not the weights that config.json beside it describes: {problem}") from problem
    return nn.Sequential(linear, _ACTIVATIONS[activation]())
