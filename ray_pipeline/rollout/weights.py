"""A policy's weights on their way from the trainer to an engine: one file of this machine's memory, written whole, named by its version.

Adapters are merged on the way, so an engine needs to know nothing of them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file

from ray_pipeline.models.adapters import is_adapted
from ray_pipeline.models.decoder import plain
from ray_pipeline.models.merge import merge
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.trained_weights import whole

MEMORY: Final = Path("/dev/shm")  # a disk in memory, where there is one


def folder_for_weights() -> Path:
    """A folder of this process's own for weights that are handed over."""
    return Path(tempfile.mkdtemp(prefix="weights-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))


@torch.no_grad()
def write_weights(policy: Policy, folder: Path, version: int, dtype: torch.dtype = torch.float32) -> Path:
    """The weights as `version`; what the folder held of older ones goes. Under FSDP every rank calls it, and has the whole of them for a moment."""
    merged = merge(policy) if is_adapted(policy) else policy
    found = {name: whole(one).to(dtype) for name, one in plain(merged.backbone).state_dict().items()}
    tied = getattr(plain(merged.backbone).config, "tie_word_embeddings", False)
    if tied:
        found.pop("lm_head.weight", None)  # the embedding's own, under another name
    path, partial = folder / f"{version:08d}.safetensors", folder / "partial"
    save_file(found, partial)
    partial.rename(path)
    for older in folder.glob("*.safetensors"):
        if older != path:
            older.unlink()
    return path
