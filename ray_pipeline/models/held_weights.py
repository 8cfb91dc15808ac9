"""How a backbone's weights are held: in one precision, or in 4 bits.

4 bits (bitsandbytes): linear layers hold nf4 or fp4 codes and are turned back into the compute dtype for each product;
embeddings and norms keep the compute dtype. `dequantise` gives plain layers of exactly the weights those products see.

Trap: on CPUs with AVX512-BF16 bitsandbytes repacks a 4-bit weight for good when it is first used in evaluation mode, with rounder
scales: the weights that are evaluated, and trained on afterwards, would not be those that were trained; it fails for fewer than
64 inputs, too.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import nn

from ray_pipeline.errors import ModelError
from ray_pipeline.models.adaptation import QLora

Precision = Literal["fp32", "bf16", "fp16"]
DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Weights:
    """How the backbone's weights are held."""

    precision: Precision
    four_bit: QLora | None = None
    dequantise: bool = False  # plain fp32 layers of the values that the 4-bit codes stand for


def four_bit_options(four_bit: QLora, device: torch.device, whole: Sequence[str] = ()) -> dict[str, Any]:
    """What transformers is told when it loads a model into 4 bits; the modules of `whole` (a head, which is trained) stay as they are."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError("adaptation.kind=qlora needs bitsandbytes, which is not installed (`pip install bitsandbytes==0.50.2`); or take kind=lora")
    from transformers import BitsAndBytesConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=four_bit.quant_type,
        bnb_4bit_use_double_quant=four_bit.double_quant,
        bnb_4bit_compute_dtype=DTYPES[four_bit.compute_dtype],
        llm_int8_skip_modules=list(whole) or None,  # its name is of an older kind of quantisation; it is for both
    )
    return {"quantization_config": quantization, "device_map": {"": str(device)}}


def keep_codes(backbone: nn.Module) -> None:
    """No repacking of 4-bit weights at evaluation (see the trap)."""
    for module in backbone.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            vars(module)["support_avx512bf16_for_cpu"] = False
