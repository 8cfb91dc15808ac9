"""How requests share a model: kept apart from the model, so that reading settings never loads torch."""

from __future__ import annotations

from ray_pipeline.config import Settings, placement


class BatchSettings(Settings):
    """How requests share a model; nothing here changes an answer beyond its last bits."""

    token_budget: int = placement(3072, "padded tokens a batch at most", ge=1)
    max_rows: int = placement(256, "texts or pairs a batch at most", ge=1)
    threads: int | None = placement(None, "torch threads of a replica; null: all of this machine's cores", ge=1)
