"""Which transformer stands at the core of a model: what embedders and rerankers share."""

from __future__ import annotations

from typing import Literal

from ray_pipeline.config import Settings, identity, source


class BackboneSettings(Settings):
    """A model's files, and how its transformer is held."""

    name: str = source(..., "pkg://package/folder, a local folder, a model artifact (any URI), or a hub id")
    revision: str | None = source(None, "hub revision (branch, tag or commit); the commit it resolves to is recorded")
    layers: int | None = identity(None, "keep only the first so many layers of the backbone (quick trials)", ge=1)
    precision: Literal["fp32", "bf16", "fp16"] = identity("fp32", "precision of the backbone")
    attention: Literal["auto", "sdpa", "eager", "products", "flash_attention_2"] = identity(
        "auto", "attention implementation; auto: products on a CPU (two batched products for short texts in half precision), else as transformers"
    )
    attention_dropout: float | None = identity(
        None, "dropout of attention weights while training; null: as the model's config says; 0 saves a CPU time and memory", ge=0, lt=1
    )
    dropout: float | None = identity(None, "every other dropout while training; null: as the model's config says", ge=0, lt=1)
