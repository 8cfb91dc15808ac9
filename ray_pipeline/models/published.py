"""A model that a training published: the files `model/...` of an artifact of the stage `model`, `reranker` or `policy`.

On a local disk they are used where they lie, inside the attempt that wrote them. From anywhere else they are downloaded
once, into `~/.cache/ray_pipeline/models/<hash of the files>`, checked against the manifest, and put in place by one rename:
a process that dies on the way leaves nothing that another would take for a model.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Final

from ray_pipeline.artifacts import Artifact, File, load
from ray_pipeline.errors import ModelError
from ray_pipeline.local_copy import download

MODEL_STAGES: Final = ("model", "reranker", "policy")
MODEL_PART: Final = "model/"


def model_artifact(uri: str) -> Artifact:
    """The published model at `uri`; refuses what is unpublished, of another stage, or without a model."""
    artifact = load(uri, *MODEL_STAGES)
    names = _names(artifact)
    if f"{MODEL_PART}config.json" not in names:
        raise ModelError(f"{uri}: the artifact holds no {MODEL_PART}config.json, so it publishes no whole model; export the model in its job")
    if any(".." in name.split("/") for name in names):
        raise ModelError(f"{uri}: the manifest names files outside of the model's folder; it is not one of ours")
    return artifact


def fetch(artifact: Artifact) -> Path:
    """The local folder with the artifact's model."""
    return _here(artifact) if artifact.location.is_local else _downloaded(artifact)


def _names(artifact: Artifact) -> dict[str, File]:
    """The model's files by their logical names."""
    listed = artifact.manifest["files"]
    return {entry["name"]: File(**entry["file"]) for entry in listed if entry["name"].startswith(MODEL_PART)}


def _here(artifact: Artifact) -> Path:
    top = Path(artifact.location.uri)
    folders = set()
    for name, file in _names(artifact).items():
        place = top / file.path
        if not place.is_file() or place.stat().st_size != file.size:
            raise ModelError(f"{place}: missing, or not of the {file.size} bytes that the manifest says; delete {top} and train again")
        inside = name.removeprefix(MODEL_PART)
        if not file.path.endswith(f"/{inside}"):
            raise ModelError(f"{top}: {name} lies at {file.path}, under another name; delete {top} and train again")
        folders.add(top / file.path.removesuffix(f"/{inside}"))
    if len(folders) != 1:
        raise ModelError(
            f"{top}: the model's files lie in {len(folders)} folders ({', '.join(sorted(map(str, folders))[:2])}); a model is one folder"
        )
    return folders.pop()


def _downloaded(artifact: Artifact) -> Path:
    target = Path("~/.cache/ray_pipeline/models").expanduser() / artifact.part_fingerprint(MODEL_PART)
    if target.is_dir():
        return target
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        for name, file in _names(artifact).items():
            download(artifact, file, partial / name.removeprefix(MODEL_PART))
        partial.rename(target)
    except OSError:
        if not target.is_dir():  # another process was faster: its files are the same
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target
