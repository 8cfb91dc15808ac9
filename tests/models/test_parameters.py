"""What kind each trainable parameter is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from ray_pipeline.errors import ModelError
from ray_pipeline.models.adaptation import FullTuning
from ray_pipeline.models.adapters import trainable_embedder
from ray_pipeline.models.parameters import parameter_kind
from tests.models.training import settings_of


def test_one_kind_by_name(tiny_qwen: Path) -> None:
    embedder = trainable_embedder(settings_of(tiny_qwen, pooling="mean", projection=8), FullTuning())
    assert parameter_kind(embedder, "projection.0.0.bias") == "head"
    assert parameter_kind(embedder, "backbone.embed_tokens.weight") == "embed_tokens"
    assert parameter_kind(embedder, "backbone.norm.weight") == "body"
    with pytest.raises(ModelError, match="'backbone.nrom.weight' is not a trainable parameter"):
        parameter_kind(embedder, "backbone.nrom.weight")
