"""What follows the backbone: pooling, projection layers and normalisation, as sentence-transformers lays them out.

`modules.json` names the steps; `1_Pooling/config.json` says the pooling, each `*_Dense` folder holds a linear layer and its
activation. What the settings say wins.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ray_pipeline.errors import ModelError
from ray_pipeline.models.embedder_record import prompt_of
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.pooling import Pooling

_NEW_STYLE: Final[dict[str, Pooling]] = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
_OLD_STYLE: Final[dict[str, Pooling]] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
ACTIVATIONS: Final[dict[str, type[nn.Module]]] = {"Identity": nn.Identity, "Tanh": nn.Tanh, "GELU": nn.GELU, "ReLU": nn.ReLU}


@dataclass(frozen=True)
class Steps:
    """What stands behind the backbone."""

    pooling: Pooling
    projection: nn.Sequential  # of (linear, activation) pairs
    normalize: bool


def read_steps(folder: Path, settings: EmbedderSettings, hidden: int, weights: bool = True) -> Steps:
    """The steps of the model in `folder`, the new head of the settings last; without `weights` only their shapes."""
    listing = folder / "modules.json"
    modules = json.loads(listing.read_text(encoding="utf-8")) if listing.exists() else []
    pooling: Pooling | None = None
    layers: list[nn.Module] = []
    for module in modules:
        kind = module["type"].rsplit(".", 1)[-1]
        place = folder / module["path"]
        if kind == "Transformer" and module["path"]:
            raise ModelError(f"{listing}: the backbone lies in {module['path']!r}; load and save the model with a recent sentence-transformers")
        if kind == "Pooling":
            pooling = _pooling_mode(place / "config.json", folder, settings)
        elif kind == "Dense":
            layers.append(_dense(place, weights))
        elif kind not in ("Transformer", "Normalize"):
            raise ModelError(f"{listing}: module {module['type']} is not supported (Transformer, Pooling, Dense and Normalize are)")
    if settings.pooling != "auto":
        pooling = settings.pooling
    if pooling is None:
        raise ModelError(f"{folder}: no modules.json tells the pooling; set model.pooling=mean, cls or last")
    if settings.projection is not None:
        layers.append(_new_head(output_size(layers, hidden), settings.projection, settings.projection_seed))
    normalize = not modules or any(module["type"].endswith("Normalize") for module in modules)
    return Steps(pooling, nn.Sequential(*layers), normalize if settings.normalize is None else settings.normalize)


def output_size(layers: Any, hidden: int) -> int:
    """Dimensions behind the last of `layers`."""
    linear = [inner for layer in layers for inner in layer.modules() if isinstance(inner, nn.Linear)]
    return linear[-1].out_features if linear else hidden


def _pooling_mode(config: Path, folder: Path, settings: EmbedderSettings) -> Pooling | None:
    """The model's own pooling; none where the settings decide."""
    values = json.loads(config.read_text(encoding="utf-8"))
    prompt = prompt_of(settings, folder)
    prompted = any(prompt.wrap(side) != ("", "") for side in ("query", "document"))
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


def _dense(folder: Path, weights: bool) -> nn.Module:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("use_residual") or config.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise ModelError(f"{folder}: a projection with a residual, or of something else than the pooled vector, is not supported")
    activation = str(config.get("activation_function", "Tanh")).rsplit(".", 1)[-1]  # sentence-transformers' own default
    if activation not in ACTIVATIONS:
        raise ModelError(f"{folder}: activation {activation!r} is not supported ({', '.join(ACTIVATIONS)} are)")
    linear = nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True), device=None if weights else "meta")
    if weights:
        _fill(linear, folder / "model.safetensors")
    return nn.Sequential(linear, ACTIVATIONS[activation]())


def _fill(linear: nn.Linear, file: Path) -> None:
    if not file.exists():
        raise ModelError(f"{file.parent}: no model.safetensors; convert its weights (pickled checkpoints are never loaded)")
    try:
        linear.load_state_dict({name.removeprefix("linear."): value for name, value in load_file(file).items()})
    except (RuntimeError, SafetensorError) as problem:
        raise ModelError(f"{file}: not the weights that config.json beside it describes: {problem}") from problem


def _new_head(inputs: int, outputs: int, seed: int) -> nn.Module:
    """A linear layer with torch's own first weights, U(-1/sqrt(inputs), 1/sqrt(inputs)), drawn from its own generator on the
    CPU: the same head on every device, whatever was drawn before."""
    generator = torch.Generator().manual_seed(seed)
    bound = inputs**-0.5
    linear = nn.Linear(inputs, outputs)
    with torch.no_grad():
        linear.weight.uniform_(-bound, bound, generator=generator)
        linear.bias.uniform_(-bound, bound, generator=generator)
    return nn.Sequential(linear, nn.Identity())
