"""Where files live: one small view over any place that `pyarrow.fs` opens.

Writes are all or nothing. On a local disk the bytes go to a temporary name in the same folder, are flushed to the
device and renamed; on an object store one put is atomic already.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from ray_pipeline.errors import ArtifactError


@dataclass(frozen=True)
class Location:
    """A file or folder: a filesystem and a path on it."""

    uri: str

    @classmethod
    def of(cls, uri: str) -> Location:
        """`uri` may be a plain path, `file://...` or any scheme that pyarrow.fs opens (s3, gs, hdfs, ...)."""
        if "://" not in uri:
            return cls(str(Path(uri).absolute()))
        return cls(uri.removeprefix("file://").rstrip("/"))

    @property
    def is_local(self) -> bool:
        return "://" not in self.uri

    def __truediv__(self, name: str) -> Location:
        return Location(posixpath.join(self.uri, name))

    @property
    def name(self) -> str:
        return posixpath.basename(self.uri)

    @property
    def parent(self) -> Location:
        return Location(posixpath.dirname(self.uri))

    def open(self) -> tuple[fs.FileSystem, str]:
        """The filesystem and the path on it."""
        if self.is_local:
            return fs.LocalFileSystem(), self.uri
        try:
            filesystem, path = fs.FileSystem.from_uri(self.uri)
        except pa.ArrowInvalid as problem:
            raise ArtifactError(f"{self.uri}: not a place pyarrow can open: {problem}") from problem
        return filesystem, path

    def exists(self) -> bool:
        filesystem, path = self.open()
        return bool(filesystem.get_file_info(path).type != fs.FileType.NotFound)

    def read(self) -> bytes:
        filesystem, path = self.open()
        with filesystem.open_input_stream(path) as stream:
            return bytes(stream.read())

    def read_json(self) -> Any:
        try:
            return json.loads(self.read())
        except (ValueError, UnicodeDecodeError) as problem:
            raise ArtifactError(f"{self.uri}: not valid JSON ({problem}); the file is damaged, restore or delete it") from problem

    def write(self, data: bytes | pa.Buffer) -> None:
        """Write all of `data` or nothing."""
        filesystem, path = self.open()
        if self.is_local:
            _write_local(Path(path), data)
            return
        with filesystem.open_output_stream(path) as stream:
            stream.write(data)

    def write_json(self, value: Any) -> None:
        self.write((json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False) + "\n").encode())

    def children(self) -> list[Location]:
        """What lies directly inside, by name; empty where there is no such folder."""
        filesystem, path = self.open()
        found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        return sorted((self / posixpath.basename(info.path) for info in found), key=lambda place: place.uri)

    def files(self) -> Iterator[tuple[Location, int]]:
        """Every file below, with its size."""
        filesystem, path = self.open()
        for info in filesystem.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True)):
            if info.type == fs.FileType.File:
                yield self / posixpath.relpath(info.path, path), info.size

    def delete(self) -> None:
        """Remove a file, or a folder with all that is in it."""
        filesystem, path = self.open()
        if filesystem.get_file_info(path).type == fs.FileType.Directory:
            filesystem.delete_dir(path)
        else:
            filesystem.delete_file(path)

    def sha256(self) -> tuple[str, int]:
        """The hash and the size of a file, read as a stream."""
        filesystem, path = self.open()
        digest, size = hashlib.sha256(), 0
        with filesystem.open_input_stream(path) as stream:
            while piece := stream.read(1 << 22):
                digest.update(piece)
                size += len(piece)
        return digest.hexdigest(), size


def _write_local(path: Path, data: bytes | pa.Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
