"""The text of tokens, by the tokenizer of the model that was trained. Its weights are not needed, so from afar they are not fetched."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ray_pipeline.artifacts import Artifact, File
from ray_pipeline.local_copy import download
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import policy_tokenizer
from ray_pipeline.models.published import MODEL_PART, fetch
from ray_pipeline.reports.rollouts.sample import Decode

_WEIGHTS = ".safetensors"


def decoder_of(artifact: Artifact) -> Decode:
    """Keeps special tokens, and every space as it stands."""
    with tempfile.TemporaryDirectory() as folder:
        place = fetch(artifact) if artifact.location.is_local else without_weights(artifact, Path(folder))
        tokenizer = policy_tokenizer(place, PolicySettings(name=artifact.location.uri))

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    return decode


def without_weights(artifact: Artifact, folder: Path) -> Path:
    """The small files of the model, copied here."""
    for entry in artifact.manifest["files"]:
        if entry["name"].startswith(MODEL_PART) and not entry["name"].endswith(_WEIGHTS):
            download(artifact, File(**entry["file"]), folder / entry["name"].removeprefix(MODEL_PART))
    return folder
