"""Which decoder, and which chat template it is spoken to in: kept apart from the model so that reading settings never loads torch."""

from __future__ import annotations

from typing import Any

from ray_pipeline.config import identity, source
from ray_pipeline.models.backbone_settings import BackboneSettings


class PolicySettings(BackboneSettings):
    """A decoder with its chat template."""

    template: str | None = source(None, "a Jinja file that is the chat template; null: the tokenizer's own")
    template_options: dict[str, Any] = identity({}, "what every rendering is told beside messages and tools, e.g. {enable_thinking: false}")
