"""How often a draw is learned from."""

from __future__ import annotations

from ray_pipeline.config import Settings, identity


class UpdateSettings(Settings):
    """Optimizer steps that learn from one draw."""

    passes: int = identity(1, "passes over what was drawn", ge=1)
    parts: int = identity(1, "steps of a pass: what was drawn is learned from in so many parts, each of whole prompts", ge=1)

    @property
    def steps(self) -> int:
        return self.passes * self.parts
