"""A model made ready for training: what is trained, in which precision, with gradient checkpointing or without.

* full: weights in fp32; half precision comes from autocast, so that small updates are not rounded away.
* lora, qlora: frozen weights in the training's precision or in 4 bits; adapters, token embeddings and head in fp32.

Traps.
* A pooler is never asked here, so it must not be trained: it would get no gradient, and DDP waits for one for ever.
* peft takes a target that no layer is called by silently, as long as another one fits: each is checked here.
* fp32 token embeddings under a half-precision body: what they give is cast to the body's precision.
* Adapters are drawn from the CPU's generator under their own seed, so every rank and every device starts from the same ones.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from ray_pipeline.errors import ModelError
from ray_pipeline.models.adaptation import Adaptation, FullTuning, Lora, QLora
from ray_pipeline.models.backbone import Weights, empty_backbone
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.parameters import ParameterCounts, Parts, counts
from ray_pipeline.models.sentence_modules import read_steps
from ray_pipeline.models.source import locate_config
from ray_pipeline.models.trained_settings import as_trained


def trainable_embedder(
    settings: EmbedderSettings,
    adaptation: Adaptation,
    device: str = "cpu",
    train_precision: Literal["fp32", "bf16"] = "fp32",
    *,
    gradient_checkpointing: bool = False,
    seed: int = 0,
) -> Embedder:
    """The model in training mode; exactly the parameters that are to be trained require gradients."""
    embedder = Embedder(settings, device, training_weights(adaptation, train_precision))
    if gradient_checkpointing:
        # the reentrant kind needs inputs with gradients, which frozen embeddings do not give, and loses DDP's hooks
        embedder.backbone.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    adapt(embedder, adaptation, seed)
    embedder.train()
    return embedder


def training_weights(adaptation: Adaptation, train_precision: Literal["fp32", "bf16"]) -> Weights:
    """How the backbone is held while it is trained."""
    if isinstance(adaptation, QLora):
        return Weights(adaptation.compute_dtype, four_bit=adaptation)
    return Weights(train_precision if isinstance(adaptation, Lora) else "fp32")


def adapt(model: Parts, adaptation: Adaptation, seed: int = 0) -> None:
    """Mark what is trained; adapters are put in where they are asked for."""
    if isinstance(adaptation, FullTuning):
        _train_weights(model.backbone, adaptation)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            attach(model, _peft_config(model.backbone, adaptation))
    model.projection.requires_grad_(True)


def attach(model: Parts, config: Any) -> None:
    """Put adapters of peft's `config` into the backbone."""
    from peft import get_peft_model

    dtype = model.backbone.dtype
    model.backbone = get_peft_model(model.backbone, config)
    if config.modules_to_save:
        table = model.backbone.get_input_embeddings().modules_to_save["default"].float()
        if dtype != torch.float32:
            table.register_forward_hook(_Cast(dtype))


class _Cast:
    """A forward hook (an object and no lambda, so that the model can be pickled)."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        return output.to(self.dtype)


def is_adapted(model: Parts) -> bool:
    """Whether the backbone carries adapters."""
    return hasattr(model.backbone, "peft_config")


def _peft_config(backbone: Any, adaptation: Lora) -> Any:
    from peft import LoraConfig

    linear = [name for name, module in backbone.named_modules() if isinstance(module, nn.Linear)]
    targets = adaptation.targets
    for target in targets if isinstance(targets, tuple) else ():
        if not any(name == target or name.endswith(f".{target}") for name in linear):
            known = sorted({name.rsplit(".", 1)[-1] for name in linear})
            raise ModelError(f"adaptation.targets: no linear layer is called {target!r}; there are {', '.join(known)}")
    return LoraConfig(
        r=adaptation.rank,
        lora_alpha=adaptation.alpha,
        lora_dropout=adaptation.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        exclude_modules=[name for name in linear if _is_pooler(name)] or None,
        modules_to_save=[_token_table(backbone)] if adaptation.train_embed_tokens else None,
    )


def _token_table(backbone: Any) -> str:
    table = backbone.get_input_embeddings()
    names: list[str] = [name for name, module in backbone.named_modules() if module is table]
    return names[0]


def _is_pooler(name: str) -> bool:
    return "pooler" in name.split(".")


def _train_weights(backbone: Any, tuning: FullTuning) -> None:
    places, count = _layers_of(backbone), int(backbone.config.num_hidden_layers)
    if (tuning.freeze_embeddings or tuning.train_layers is not None) and not any(0 <= place < count for place in places.values()):
        raise ModelError(f"a {backbone.config.model_type} keeps no list of {count} layers; drop adaptation.freeze_embeddings and train_layers")
    if tuning.train_layers is not None and tuning.train_layers > count:
        raise ModelError(f"adaptation.train_layers={tuning.train_layers}, but the model has {count} layers")
    first = 0 if tuning.freeze_embeddings else -1
    if tuning.train_layers is not None:
        first = count - tuning.train_layers
    for name, parameter in backbone.named_parameters():
        parameter.requires_grad_(places[name] >= first and not _is_pooler(name))


def _layers_of(backbone: Any) -> dict[str, int]:
    """The number of the layer that each parameter belongs to; -1 before the first layer, the count of layers behind the last."""
    count = int(backbone.config.num_hidden_layers)
    stack = next((name for name, module in backbone.named_modules() if isinstance(module, nn.ModuleList) and len(module) == count), None)
    places: dict[str, int] = {}
    outside = count if stack is None else -1
    for name, _ in backbone.named_parameters():
        if stack is not None and name.startswith(f"{stack}."):
            places[name] = int(name.removeprefix(f"{stack}.").split(".")[0])
            outside = count
        else:
            places[name] = outside
    return places


class Skeleton(nn.Module):
    """A model's shape on the meta device: it has parameters, but no memory."""

    def __init__(self, settings: EmbedderSettings) -> None:
        super().__init__()
        folder = locate_config(settings.name, settings.revision)
        full = as_trained(settings, folder)
        self.backbone: Any = empty_backbone(folder, full)
        self.projection = read_steps(folder, full, int(self.backbone.config.hidden_size), weights=False).projection.to("meta")


def count_parameters(settings: EmbedderSettings, adaptation: Adaptation) -> ParameterCounts:
    """What a training would train, without loading or downloading a weight."""
    skeleton = Skeleton(settings)
    adapt(skeleton, adaptation)
    return counts(skeleton)
