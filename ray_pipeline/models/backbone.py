"""The backbone: a transformer of any kind, loaded whole, in one precision or in 4 bits, reading one way or both.

Reading both ways. transformers makes a decoder's masks from `config.is_causal`; where that is false, every token sees
every token that is no padding, in all attention implementations, and the flag stays in `config.json` when the model is
saved. Whether a kind of model honours it is not written anywhere, so it is tried: the gradient of the first position's
state with respect to the last token's embedding is exactly zero where the model cannot look ahead (a masked weight is
exactly 0), and not zero where it can.

4 bits (bitsandbytes): linear layers hold nf4 or fp4 codes and are turned back into the compute dtype for each product;
embeddings and norms keep the compute dtype. `dequantise` gives plain layers of exactly the weights those products see.

Traps. A pooler that the weights lack would be random, and would be saved as if it were trained: it is dropped. A list of
layer kinds in the configuration must be cut along with the layers, or the saved model would not load. On CPUs with AVX512-BF16
bitsandbytes repacks a 4-bit weight for good when it is first used in evaluation mode, with rounder scales: the weights that
are evaluated, and trained on afterwards, would not be those that were trained; it fails for fewer than 64 inputs, too.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ray_pipeline.errors import ModelError
from ray_pipeline.models import batched_products
from ray_pipeline.models.adaptation import QLora
from ray_pipeline.models.embedder_settings import EmbedderSettings

Precision = Literal["fp32", "bf16", "fp16"]
ATTENTION_DROPOUT: Final = ("attention_probs_dropout_prob", "attention_dropout")  # BERT and its kin; decoders and ModernBERT
DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Weights:
    """How the backbone's weights are held."""

    precision: Precision
    four_bit: QLora | None = None
    dequantise: bool = False  # plain fp32 layers of the values that the 4-bit codes stand for


def load_backbone(folder: Path, settings: EmbedderSettings, weights: Weights, device: torch.device) -> Any:
    """The model in `folder`, in evaluation mode."""
    from transformers import AutoModel  # seconds to import, so only where a model is loaded
    from transformers.utils import logging

    options = _four_bit_options(weights.four_bit, device) if weights.four_bit is not None else {}
    logging.disable_progress_bar()
    loud = logging.get_verbosity()
    logging.set_verbosity_error()  # its report of weights is for people; what matters of it is checked below
    try:
        config = backbone_config(folder, settings)
        backbone, report = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=DTYPES[weights.precision],
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **_attention(settings),
            **options,
        )
        if weights.dequantise:
            backbone = backbone.dequantize().float()
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as problem:
        raise ModelError(f"{folder}: the model cannot be loaded: {problem}") from problem
    finally:
        logging.set_verbosity(loud)
    absent = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if absent:
        raise ModelError(f"{folder}: the weights lack {len(absent)} tensors ({', '.join(absent[:3])}, ...), which would be random; get them all")
    if report["missing_keys"]:
        backbone.pooler = None
    _choose_attention(folder, backbone, settings.attention, device)
    if weights.four_bit is None:
        backbone = backbone.to(device)
    else:
        _keep_codes(backbone)
    backbone.config.use_cache = False  # keys and values of a decoder serve generation only
    _set_direction(folder, backbone.eval(), settings.bidirectional)
    return backbone


def empty_backbone(folder: Path, settings: EmbedderSettings) -> Any:
    """The backbone's shape without its weights, on the meta device."""
    from transformers import AutoModel

    try:
        with torch.device("meta"):
            return AutoModel.from_config(backbone_config(folder, settings), trust_remote_code=False)
    except (OSError, ValueError, ImportError, RuntimeError) as problem:
        raise ModelError(f"{folder}: config.json does not describe a model: {problem}") from problem


def backbone_config(folder: Path, settings: EmbedderSettings) -> Any:
    """The model's own configuration, with what the settings change of it."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{folder}: a {config.model_type} has an encoder and a decoder; an embedder has one of them")
    layers = getattr(config, "num_hidden_layers", None)
    if settings.layers is not None and layers is not None:
        if settings.layers > layers:
            raise ModelError(f"{folder}: layers={settings.layers}, but the model has {layers}")
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[: settings.layers]
        config.num_hidden_layers = settings.layers
    if settings.attention_dropout is not None:
        setattr(config, _attention_dropout(config, folder), settings.attention_dropout)
    return config


def _attention_dropout(config: Any, folder: Path) -> str:
    """What this kind of model calls it."""
    known = [name for name in ATTENTION_DROPOUT if hasattr(config, name)]
    if not known:
        raise ModelError(f"{folder}: attention_dropout is given, but a {config.model_type} has none of {', '.join(ATTENTION_DROPOUT)}; leave it null")
    return known[0]


def _attention(settings: EmbedderSettings) -> dict[str, str]:
    return {} if settings.attention in ("auto", batched_products.NAME) else {"attn_implementation": settings.attention}


def _choose_attention(folder: Path, backbone: Any, wanted: str, device: torch.device) -> None:
    """Batched products, where they are asked for, or where they help and the model lets its attention be chosen."""
    possible = backbone._supports_attention_backend
    if wanted == batched_products.NAME and not possible:
        raise ModelError(f"{folder}: the attention of a {backbone.config.model_type} cannot be replaced; set model.attention=auto")
    if wanted == batched_products.NAME or (wanted == "auto" and possible and device.type == "cpu"):
        batched_products.register()
        backbone.set_attn_implementation(batched_products.NAME)


def _four_bit_options(four_bit: QLora, device: torch.device) -> dict[str, Any]:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError("adaptation.kind=qlora needs bitsandbytes, which is not installed (`pip install bitsandbytes==0.50.2`); or take kind=lora")
    from transformers import BitsAndBytesConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=four_bit.quant_type,
        bnb_4bit_use_double_quant=four_bit.double_quant,
        bnb_4bit_compute_dtype=DTYPES[four_bit.compute_dtype],
    )
    return {"quantization_config": quantization, "device_map": {"": str(device)}}


def _keep_codes(backbone: nn.Module) -> None:
    """No repacking of 4-bit weights at evaluation (see the module's traps)."""
    for module in backbone.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            vars(module)["support_avx512bf16_for_cpu"] = False


def positions(backbone: Any) -> int | None:
    """How many tokens a text may have. RoBERTa's family counts positions from behind the padding id, so it has fewer than it says."""
    stated = getattr(backbone.config, "max_position_embeddings", None)
    padding = getattr(getattr(backbone, "embeddings", None), "padding_idx", None)
    return stated if stated is None or padding is None else int(stated) - int(padding) - 1


def _set_direction(folder: Path, backbone: Any, bidirectional: bool | None) -> None:
    if bidirectional is None:
        return
    reads_both_ways = not getattr(backbone.config, "is_causal", True)
    if not bidirectional:
        if reads_both_ways or sees_ahead(backbone):
            raise ModelError(f"{folder}: model.bidirectional=false, but this model reads both ways; drop model.bidirectional")
        return
    if not reads_both_ways and sees_ahead(backbone):
        raise ModelError(f"{folder}: model.bidirectional=true is for decoders; a {backbone.config.model_type} reads both ways as it is: drop it")
    backbone.config.is_causal = False
    try:
        works = sees_ahead(backbone)
    except Exception as problem:  # whatever a kind of model that was never meant for it trips over
        raise ModelError(f"{folder}: a {backbone.config.model_type} cannot be made to read both ways ({problem!r}); drop it") from problem
    if not works:
        raise ModelError(f"{folder}: a {backbone.config.model_type} cannot be made to read both ways; drop model.bidirectional")


def sees_ahead(backbone: nn.Module) -> bool:
    """Whether the first position's state depends on the last token."""
    table: Tensor = backbone.get_input_embeddings().weight  # type: ignore[operator]
    with torch.enable_grad():
        tokens = table[torch.zeros(1, 3, dtype=torch.long, device=table.device)].detach().requires_grad_()
        states = backbone(inputs_embeds=tokens, attention_mask=torch.ones(1, 3, dtype=torch.long, device=table.device)).last_hidden_state
        # not a plain sum: the sum of normalised states is constant, and its gradient zero
        weighted = (states[0, 0].float() * torch.arange(states.shape[-1], device=states.device)).sum()
        (gradient,) = torch.autograd.grad(weighted, tokens)
    return bool(gradient[0, -1].abs().max() > 0)
