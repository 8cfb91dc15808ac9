"""A model made ready for training: what is trained, in which precision, with gradient checkpointing or without.

* full: weights in fp32; half precision comes from autocast, so that small updates are not rounded away.
* lora, qlora: frozen weights in the training's precision or in 4 bits; adapters, token embeddings and head in fp32.

Traps.
* An embedder never asks its pooler, so it must not be trained: it would get no gradient, and DDP waits for one for ever. A
  classifier's pooler is part of its head.
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
from ray_pipeline.models.backbone import empty_backbone
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_record import as_trained
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.held_weights import Weights
from ray_pipeline.models.parameters import ParameterCounts, Parts, counts, in_head
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.models.sentence_modules import read_steps
from ray_pipeline.models.source import locate_config


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
    _prepare(embedder, adaptation, gradient_checkpointing, seed)
    return embedder


def trainable_reranker(
    settings: RerankerSettings,
    adaptation: Adaptation,
    device: str = "cpu",
    train_precision: Literal["fp32", "bf16"] = "fp32",
    *,
    gradient_checkpointing: bool = False,
    seed: int = 0,
) -> Reranker:
    """The same for a reranker; a classifier that has no head gets one, drawn under `seed`."""
    reranker = Reranker(settings, device, training_weights(adaptation, train_precision), new_head_seed=seed)
    _prepare(reranker, adaptation, gradient_checkpointing, seed)
    return reranker


def trainable_policy(
    settings: PolicySettings,
    adaptation: Adaptation,
    device: str = "cpu",
    train_precision: Literal["fp32", "bf16"] = "fp32",
    *,
    packing: bool = True,
    gradient_checkpointing: bool = False,
    seed: int = 0,
) -> Policy:
    """The same for a policy."""
    policy = Policy(settings, device, training_weights(adaptation, train_precision), packing=packing)
    _prepare(policy, adaptation, gradient_checkpointing, seed)
    return policy


def _prepare(model: Embedder | Reranker | Policy, adaptation: Adaptation, gradient_checkpointing: bool, seed: int) -> None:
    if gradient_checkpointing:
        # the reentrant kind needs inputs with gradients, which frozen embeddings do not give, and loses DDP's hooks
        model.backbone.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    adapt(model, adaptation, seed)
    model.train()


def training_weights(adaptation: Adaptation, train_precision: Literal["fp32", "bf16"]) -> Weights:
    """How the backbone is held while it is trained."""
    if isinstance(adaptation, QLora):
        return Weights(adaptation.compute_dtype, four_bit=adaptation)
    return Weights(train_precision if isinstance(adaptation, Lora) else "fp32")


def adapt(model: Parts, adaptation: Adaptation, seed: int = 0) -> None:
    """Mark what is trained; adapters are put in where they are asked for."""
    if isinstance(adaptation, FullTuning):
        _train_weights(model, adaptation)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            attach(model, _peft_config(model, adaptation))
    model.projection.requires_grad_(True)


def attach(model: Parts, config: Any) -> None:
    """Put adapters of peft's `config` into the backbone."""
    from peft import get_peft_model

    dtype = model.backbone.dtype
    table = _token_table(model.backbone)
    model.backbone = get_peft_model(model.backbone, config)
    if table in (config.modules_to_save or ()):
        trained_table = model.backbone.get_input_embeddings().modules_to_save["default"].float()
        if dtype != torch.float32:
            trained_table.register_forward_hook(_Cast(dtype))


class _Cast:
    """A forward hook (an object and no lambda, so that the model can be pickled)."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(self, module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        return output.to(self.dtype)


def is_adapted(model: Parts) -> bool:
    """Whether the backbone carries adapters."""
    return hasattr(model.backbone, "peft_config")


def _peft_config(model: Parts, adaptation: Lora) -> Any:
    from peft import LoraConfig

    backbone = model.backbone
    _refuse_tied_table(backbone, adaptation)
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
        exclude_modules=[name for name in linear if in_head(model.heads, name) or _unasked(model, name)] or None,
        modules_to_save=[*model.heads, *([_token_table(backbone)] if adaptation.train_embed_tokens else [])] or None,
    )


def _refuse_tied_table(backbone: Any, adaptation: Lora) -> None:
    """A copy of the token embeddings would be trained, and the output layer that shares their weights left behind."""
    output = backbone.get_output_embeddings() if hasattr(backbone, "get_output_embeddings") else None
    if adaptation.train_embed_tokens and output is not None and output.weight is backbone.get_input_embeddings().weight:
        raise ModelError(f"adaptation.train_embed_tokens: a {backbone.config.model_type} shares these weights with its output layer; leave it false")


def _token_table(backbone: Any) -> str:
    table = backbone.get_input_embeddings()
    names: list[str] = [name for name, module in backbone.named_modules() if module is table]
    return names[0]


def _unasked(model: Parts, name: str) -> bool:
    return not model.heads and "pooler" in name.split(".")


def _train_weights(model: Parts, tuning: FullTuning) -> None:
    backbone = model.backbone
    places, count = _layers_of(backbone), int(backbone.config.num_hidden_layers)
    if (tuning.freeze_embeddings or tuning.train_layers is not None) and not any(0 <= place < count for place in places.values()):
        raise ModelError(f"a {backbone.config.model_type} keeps no list of {count} layers; drop adaptation.freeze_embeddings and train_layers")
    if tuning.train_layers is not None and tuning.train_layers > count:
        raise ModelError(f"adaptation.train_layers={tuning.train_layers}, but the model has {count} layers")
    first = 0 if tuning.freeze_embeddings else -1
    if tuning.train_layers is not None:
        first = count - tuning.train_layers
    for name, parameter in backbone.named_parameters():
        parameter.requires_grad_((places[name] >= first and not _unasked(model, name)) or in_head(model.heads, name))


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
        self.heads: tuple[str, ...] = ()


def count_parameters(settings: EmbedderSettings, adaptation: Adaptation) -> ParameterCounts:
    """What a training would train, without loading or downloading a weight."""
    skeleton = Skeleton(settings)
    adapt(skeleton, adaptation)
    return counts(skeleton)
