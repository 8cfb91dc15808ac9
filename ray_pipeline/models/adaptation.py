"""What of a model is trained: kept apart from the code that does it, so that reading settings never loads torch.

* full   every weight that the vector depends on;
* lora   low-rank factors beside frozen weights (Hu et al. 2021, arXiv 2106.09685): W x + (alpha / rank) B A x;
* qlora  the same over weights stored in 4 bits (Dettmers et al. 2023, arXiv 2305.14314).

A projection head is trained in every kind.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ray_pipeline.config import Settings, identity


class FullTuning(Settings):
    """All weights are trained."""

    kind: Literal["full"] = identity("full", "train the weights themselves")
    freeze_embeddings: bool = identity(False, "leave what stands before the first layer (token, position and type embeddings) as it is")
    train_layers: int | None = identity(None, "train only the last so many layers, and what stands behind them", ge=1)


class Lora(Settings):
    """Low-rank adapters over frozen weights."""

    kind: Literal["lora"] = identity("lora", "train low-rank adapters")
    rank: int = identity(8, "rank of the two factors", ge=1)
    alpha: int = identity(16, "the adapter's output is scaled by alpha / rank", ge=1)
    dropout: float = identity(0.05, "dropout before the adapter", ge=0, lt=1)
    targets: tuple[str, ...] | Literal["all-linear"] = identity("all-linear", "names of the linear layers that get an adapter")
    train_embed_tokens: bool = identity(False, "train the whole table of token embeddings as well")


class QLora(Lora):
    """Low-rank adapters over 4-bit weights."""

    kind: Literal["qlora"] = identity("qlora", "train low-rank adapters over 4-bit weights")  # type: ignore[assignment]
    quant_type: Literal["nf4", "fp4"] = identity("nf4", "the 4-bit code")
    double_quant: bool = identity(True, "quantise the quantisation's own scales too")
    compute_dtype: Literal["bf16", "fp16", "fp32"] = identity("bf16", "weights are turned back into this for every product")


Adaptation = Annotated[FullTuning | Lora | QLora, Field(discriminator="kind")]
