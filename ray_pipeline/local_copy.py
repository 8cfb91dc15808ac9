"""Files of artifacts where a process can open or map them: as they lie on a local disk, else downloaded once and checked.

A download goes to a name of its own and is put in place by one rename: a process that dies on the way leaves nothing that another
would take for the file.
"""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

from ray_pipeline.artifacts import Artifact, File
from ray_pipeline.errors import ArtifactError


def local_file(artifact: Artifact, name: str) -> Path:
    """The file of this logical name on this machine; a download is kept under the hash of its content."""
    file = next((File(**entry["file"]) for entry in artifact.manifest["files"] if entry["name"] == name), None)
    if file is None:
        return Path(artifact.file(name).uri)  # says what the artifact does hold
    if artifact.location.is_local:
        return _here(artifact, file)
    target = Path("~/.cache/ray_pipeline/files").expanduser() / file.sha256[:2] / file.sha256
    if not target.exists():
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            download(artifact, file, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def _here(artifact: Artifact, file: File) -> Path:
    place = Path((artifact.location / file.path).uri)
    if not place.is_file() or place.stat().st_size != file.size:
        raise ArtifactError(f"{place}: missing, or not of the {file.size:,} bytes that the manifest says; delete the artifact and run its job again")
    return place


def download(artifact: Artifact, file: File, to: Path) -> None:
    """Copy one file of the artifact to this machine; refuses one that is not what the manifest says."""
    place = artifact.location / file.path
    to.parent.mkdir(parents=True, exist_ok=True)
    filesystem, path = place.open()
    digest, size = hashlib.sha256(), 0
    with filesystem.open_input_stream(path, compression=None) as stream, to.open("wb") as copy:
        while piece := stream.read(1 << 22):
            digest.update(piece)
            size += copy.write(piece)
    if (digest.hexdigest(), size) != (file.sha256, file.size):
        raise ArtifactError(f"{place.uri}: {size} bytes, sha256 {digest.hexdigest()[:12]}; the manifest says {file.size} bytes, {file.sha256[:12]}")
