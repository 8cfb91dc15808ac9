"""What a training step will hold at its peak, before the first one, and the token budget that fits.

    weights         bytes as stored (4-bit weights are packed two a byte)
    gradients       as many bytes as the trained weights
    optimizer       twice that: AdamW's two means have the weights' type
    autocast        under bf16, a bf16 copy of every trained fp32 weight
    activations     per token whose graph is alive: layers x layer + 8h (embedding and its norm) + working memory
    representations rows x dim x 4 bytes, twice: the vectors of the whole batch and their gradients
    similarity      chunk rows x documents x 4 bytes, four times: scores, masks, softmax, gradient

What one layer keeps for its backward pass, in bytes a token, with hidden size h, query width q = heads x head size, key
width k, intermediate size f (two matrices, as BERT; or gated, three, as Qwen and Llama):

                      fp32                     bf16 autocast (norms stay in fp32)
    two matrices      16h + 8(q+k) + 8f        16h + 4(q+k) + 4f
      with dropout    + 8h                     + 10h
    gated             24h + 16(q+k) + 16f      26h + 10(q+k) + 8f
    attention scores  12 x heads x length      12 x heads x length, where they are kept: fused attention keeps none, but the
                                               CPU has no fused kernel with dropout
      in products     as fused                 2 x heads x length, 6 with dropout (models/batched_products.py)

These coefficients are counted, not guessed: they are what autograd saves in transformers' BERT and Qwen3 (Korthikanti et
al., arXiv 2205.05198, count the same way for a layer in 16 bit with dropout masks of a byte, which gives 34h for f = 4h).
With gradient checkpointing all layers keep their input (4h), and one layer at a time is whole. Working memory is what
the backward pass of one layer holds besides: 4(2f + 3h), and the scores' gradients.

Frozen weights save less (a frozen matrix needs not its input), so adapters stay below the estimate. Under FSDP each rank's
own shard counts, and the layer that is whole for the moment does not.

What is estimated is what is alive. For MiniLM on the CPU it is 1.2 to 1.8 times what a step then really holds where the
allocator gives memory back at once (MALLOC_MMAP_THRESHOLD_=1000000), but glibc by default raises that threshold as it goes and keeps
up to 1.6 times the estimate in its heap, most of it with checkpointing. Hence the margin in `suggest_token_budget`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from ray_pipeline.errors import SettingsError
from ray_pipeline.models import batched_products
from ray_pipeline.models.backbone import DROPOUTS
from ray_pipeline.models.policy import packed_attention

_MARGIN: Final = 0.6  # share of the free memory that a suggestion uses
_STEP: Final = 64  # suggestions are multiples of so many tokens


@dataclass(frozen=True)
class ModelShape:
    """What of a transformer decides how much its layers keep."""

    layers: int
    hidden: int
    query_width: int
    key_width: int
    intermediate: int
    heads: int
    gated: bool
    dropout: bool
    keeps_scores: bool  # also in fp32
    product_bytes: int = 0  # of a score that batched products keep in half precision; 0: attention is not done so

    @classmethod
    def of(cls, backbone: nn.Module, device: torch.device | str) -> ModelShape:
        """As the backbone's configuration says; the meta device will do for `backbone`."""
        config: Any = backbone.config
        heads = int(config.num_attention_heads)
        size = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
        in_attention = any(getattr(config, name, 0.0) for name in DROPOUTS["attention_dropout"])
        products = config._attn_implementation in (batched_products.NAME, packed_attention.NAME)
        fused = (products or config._attn_implementation in ("sdpa", "flash_attention_2")) and not (
            in_attention and torch.device(device).type == "cpu"
        )
        return cls(
            layers=int(config.num_hidden_layers),
            hidden=int(config.hidden_size),
            query_width=heads * size,
            key_width=int(getattr(config, "num_key_value_heads", None) or heads) * size,
            intermediate=int(getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * config.hidden_size),
            heads=heads,
            gated=any("gate" in name.rsplit(".", 1)[-1] for name, _ in backbone.named_modules()),
            dropout=float(getattr(config, "hidden_dropout_prob", 0.0) or 0.0) > 0,
            keeps_scores=not fused,
            product_bytes=(6 if in_attention else 2) if products else 0,
        )


def layer_bytes(shape: ModelShape, length: int, *, bf16: bool) -> int:
    """What one layer keeps of each token of a text of `length` tokens."""
    if shape.gated:
        per_hidden, per_width, per_inner = (26, 10, 8) if bf16 else (24, 16, 16)
    else:
        per_hidden, per_width, per_inner = (16, 4, 4) if bf16 else (16, 8, 8)
    if shape.dropout:
        per_hidden += 10 if bf16 else 8
    linear = per_hidden * shape.hidden + per_width * (shape.query_width + shape.key_width) + per_inner * shape.intermediate
    return linear + _score_bytes(shape, length, bf16=bf16)


def token_bytes(shape: ModelShape, length: int, *, bf16: bool, checkpointing: bool) -> int:
    """Activations and working memory of each token whose graph is alive, in texts of `length` tokens."""
    layer = layer_bytes(shape, length, bf16=bf16)
    kept = shape.layers * 4 * shape.hidden + layer if checkpointing else shape.layers * layer
    return kept + 8 * shape.hidden + 4 * (2 * shape.intermediate + 3 * shape.hidden) + _score_bytes(shape, length, bf16=bf16)


def _score_bytes(shape: ModelShape, length: int, *, bf16: bool) -> int:
    if shape.product_bytes and bf16 and length <= batched_products.LONGEST:
        return shape.product_bytes * shape.heads * length
    return 12 * shape.heads * length if shape.keeps_scores else 0


@dataclass(frozen=True)
class MemoryEstimate:
    """The peak of one step by its parts, in bytes."""

    weights: int
    gradients: int
    optimizer: int
    autocast: int
    activations: int
    representations: int
    similarity: int

    @property
    def total(self) -> int:
        return self.weights + self.growth

    @property
    def growth(self) -> int:
        """What the first step adds once the weights are loaded."""
        return self.activations + self.fixed_growth

    @property
    def fixed_growth(self) -> int:
        """What of it does not depend on the token budget."""
        return self.gradients + self.optimizer + self.autocast + self.representations + self.similarity

    def table(self) -> str:
        """The parts and their sum, in MB, a line each."""
        rows = [*asdict(self).items(), ("peak", self.total)]
        return "\n".join(f"{name:<16}{size / 1e6:>12,.1f} MB" for name, size in rows)


def estimate(
    model: nn.Module,
    shape: ModelShape,
    *,
    tokens: int,
    length: int,
    bf16: bool = False,
    checkpointing: bool = False,
    rows: int = 0,
    dim: int = 0,
    chunk_rows: int = 0,
    documents: int = 0,
) -> MemoryEstimate:
    """The peak of a step of `model` (all of it: backbone, head, frozen parts).

    `tokens` padded tokens have their graph alive at once, in texts of up to `length`; `rows` vectors of `dim` are cached for the loss, which
    compares `chunk_rows` of them with `documents` at a time.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = sum(_stored(parameter) for parameter in trained)
    return MemoryEstimate(
        weights=sum(_stored(tensor) for tensor in [*model.parameters(), *model.buffers()]),
        gradients=gradients,
        optimizer=2 * gradients,
        autocast=sum(_stored(parameter) // 2 for parameter in trained if parameter.dtype == torch.float32) if bf16 else 0,
        activations=tokens * token_bytes(shape, length, bf16=bf16, checkpointing=checkpointing),
        representations=2 * 4 * rows * dim,
        similarity=4 * 4 * chunk_rows * documents,
    )


def _stored(tensor: torch.Tensor) -> int:
    local = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return local.numel() * local.element_size()


def suggest_token_budget(free: int, fixed: int, per_token: int, longest: int) -> int:
    """The largest budget of padded tokens a micro batch for which `fixed + budget * per_token` leaves a margin of `free` bytes.

    `free` counts with the weights loaded, `fixed` is `MemoryEstimate.fixed_growth`, `longest` the tokens of the longest text.
    """
    budget = int((_MARGIN * free - fixed) // per_token)
    if budget < longest:
        needed = (fixed + longest * per_token) / _MARGIN
        raise SettingsError(
            f"a step needs {needed / 1e9:,.2f} GB even with one text of {longest} tokens at a time, and {free / 1e9:,.2f} GB are free; "
            "switch gradient_checkpointing on, train adapters (lora, qlora) or in precision=bf16, shorten max_length, or take a larger machine"
        )
    return budget if budget < _STEP else budget - budget % _STEP
