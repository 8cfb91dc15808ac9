"""A model that a training published: the files `model/...` of an artifact of the stage `model`, `reranker` or `policy`; or its `adapter/...`.

On a local disk they are used where they lie, inside the attempt that wrote them. From anywhere else they are downloaded
once, into `~/.cache/ray_pipeline/models/<hash of the files>`, checked against the manifest, and put in place by one rename:
a process that dies on the way leaves nothing that another would take for a model.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ray_pipeline.artifacts import Artifact, File, load
from ray_pipeline.errors import ModelError
from ray_pipeline.local_copy import download

MODEL_STAGES: Final = ("model", "reranker", "policy")
MODEL_PART: Final = "model/"
ADAPTER_PART: Final = "adapter/"


def model_artifact(uri: str) -> Artifact:
    """The published model at `uri`; refuses what is unpublished, of another stage, or without a model."""
    artifact = load(uri, *MODEL_STAGES)
    if f"{MODEL_PART}config.json" not in _names(artifact, MODEL_PART):
        raise ModelError(f"{uri}: the artifact holds no {MODEL_PART}config.json, so it publishes no whole model; export the model in its job")
    return artifact


def adapter_artifact(uri: str) -> Artifact:
    """The published adapter at `uri`: that of a training, or one that `jobs.merge form=adapter` took out of it."""
    artifact = load(uri, *MODEL_STAGES, "adapter")
    if f"{ADAPTER_PART}adapter_config.json" not in _names(artifact, ADAPTER_PART):
        raise ModelError(f"{uri}: the artifact holds no {ADAPTER_PART}adapter_config.json, so no adapter was trained in it")
    return artifact


def fetch(artifact: Artifact, part: str = MODEL_PART) -> Path:
    """The local folder with the artifact's model or adapter."""
    names = _names(artifact, part)
    if any(".." in name.split("/") for name in names):
        raise ModelError(f"{artifact.location.uri}: the manifest names files outside of the model's folder; it is not one of ours")
    return _here(artifact, part, names) if artifact.location.is_local else _downloaded(artifact, part, names)


def _names(artifact: Artifact, part: str) -> dict[str, File]:
    """The files of the part by their logical names."""
    listed = artifact.manifest["files"]
    return {entry["name"]: File(**entry["file"]) for entry in listed if entry["name"].startswith(part)}


def _here(artifact: Artifact, part: str, names: Mapping[str, File]) -> Path:
    top = Path(artifact.location.uri)
    folders = set()
    for name, file in names.items():
        place = top / file.path
        if not place.is_file() or place.stat().st_size != file.size:
            raise ModelError(f"{place}: missing, or not of the {file.size} bytes that the manifest says; delete {top} and train again")
        inside = name.removeprefix(part)
        if not file.path.endswith(f"/{inside}"):
            raise ModelError(f"{top}: {name} lies at {file.path}, under another name; delete {top} and train again")
        folders.add(top / file.path.removesuffix(f"/{inside}"))
    if len(folders) != 1:
        raise ModelError(
            f"{top}: the model's files lie in {len(folders)} folders ({', '.join(sorted(map(str, folders))[:2])}); a model is one folder"
        )
    return folders.pop()


def _downloaded(artifact: Artifact, part: str, names: Mapping[str, File]) -> Path:
    target = Path("~/.cache/ray_pipeline/models").expanduser() / artifact.part_fingerprint(part)
    if target.is_dir():
        return target
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        for name, file in names.items():
            download(artifact, file, partial / name.removeprefix(part))
        partial.rename(target)
    except OSError:
        if not target.is_dir():  # another process was faster: its files are the same
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target
