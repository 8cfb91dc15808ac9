"""An adapter that an engine puts on its model: found, and checked to belong there, before any engine starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ray_pipeline.artifacts import MANIFEST, Input
from ray_pipeline.errors import ModelError
from ray_pipeline.models.adapter_files import adapter_config, check_base
from ray_pipeline.models.policy.probe import Probe, probe_of
from ray_pipeline.models.published import ADAPTER_PART, adapter_artifact, fetch
from ray_pipeline.models.source import ModelFiles, folder_fingerprint

RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM keeps room for."""


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter on this machine."""

    name: str  # as the user wrote it
    folder: Path
    fingerprint: str
    rank: int

    @property
    def room(self) -> int:
        """The least rank that vLLM keeps room for and that this adapter fits into."""
        return next(rank for rank in RANKS if rank >= self.rank)

    @property
    def probe(self) -> Probe | None:
        return probe_of(self.folder)

    def as_input(self) -> Input:
        return Input(self.fingerprint, self.name, "adapter")


def locate_adapter(name: str, base: ModelFiles) -> AdapterFiles:
    """The adapter in a folder or in an artifact; refused where it was trained on another base, or where vLLM could not hold it."""
    if "://" in name or (Path(name).expanduser() / MANIFEST).exists():
        artifact = adapter_artifact(name)
        folder, fingerprint = fetch(artifact, ADAPTER_PART), artifact.part_fingerprint(ADAPTER_PART)
    else:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise ModelError(f"adapter {name!r}: no such folder")
        fingerprint = folder_fingerprint(folder)
    config = adapter_config(folder)
    check_base(base, folder)
    if config.get("modules_to_save"):
        raise ModelError(
            f"adapter {name!r}: it holds whole layers too ({', '.join(config['modules_to_save'])}), which vLLM does not put on a model; "
            "merge it (jobs.merge) and name the merged model"
        )
    rank = int(config["r"])
    if rank > RANKS[-1]:
        raise ModelError(f"adapter {name!r}: its rank is {rank}, vLLM holds up to {RANKS[-1]}; merge it (jobs.merge) and name the merged model")
    return AdapterFiles(name, folder, fingerprint, rank)
