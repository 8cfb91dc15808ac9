"""Which embedder, and how it is used: kept apart from the model so that reading settings never loads torch.

A model that was trained here carries its own prompt, pooling, terminal token and length (`ray_pipeline.json`). A setting
left at null (or `auto`) means "as the model says", which is why the defaults below say nothing.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import identity, section
from ray_pipeline.models.backbone_settings import BackboneSettings
from ray_pipeline.text.prompts import Prompt


class EmbedderSettings(BackboneSettings):
    """Which model turns texts into vectors, and how."""

    pooling: Literal["auto", "mean", "cls", "last"] = identity("auto", "auto: as the model's modules.json says")
    normalize: bool | None = identity(None, "scale vectors to length 1; null: as modules.json says (true without one)")
    dim: int | None = identity(None, "keep only the first so many dimensions (Matryoshka), before normalising", ge=1)
    max_length: int | None = identity(None, "tokens a text at most, special tokens included; null: as the model was trained, else 256", ge=3)
    terminal_token: str | None = identity(
        None, "token appended after every text (some decoders are trained with one); null: as the model was trained"
    )
    bidirectional: bool | None = identity(None, "a decoder's tokens also see the tokens after them; null: as the model was trained")
    projection: int | None = identity(None, "a new linear head to so many dimensions, with bias, behind the model's own", ge=1)
    projection_seed: int = identity(0, "seed of the new head's first weights", ge=0)
    prompt: Prompt | None = section(None, "the strings around queries and documents; null: as the model was trained, else none")

    @model_validator(mode="after")
    def _terminal_is_for_last(self) -> EmbedderSettings:
        if self.terminal_token is not None and self.pooling in ("mean", "cls"):
            raise ValueError(f"terminal_token is read by pooling=last; with pooling={self.pooling} it would only blur the vector")
        return self
