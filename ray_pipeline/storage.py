"""Where files live: one small view over any place that `pyarrow.fs` opens.

Writes are all or nothing. Where a rename is cheap (a local disk, HDFS) the bytes go to a temporary name in the same
folder and are renamed when complete, on a local disk flushed to the device first; on an object store one put is atomic
already.

Traps. A URI may carry options after `?` (`s3://bucket/runs?endpoint_override=minio:9000`), which belong to every path
below it too; its path is percent-encoded, a plain path is not. Arrow decompresses a file by its name (`.gz`) unless
told not to, and then hashes and sizes are not the file's own. Opening a store can cost a round trip (S3 asks for the
bucket's region), so a process opens each one once.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import posixpath
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
from pyarrow import fs

from ray_pipeline.errors import ArtifactError

_OBJECT_STORES = ("s3", "gcs", "abfs")  # a put is atomic there, and a rename is a copy
_REMEDIES = {
    errno.ENOSPC: "the disk is full: make room there, or take another workspace",
    errno.EDQUOT: "your share of the disk is used up: make room there, or take another workspace",
    errno.EFBIG: "no file may be as large there: raise the limit (ulimit -f), or take another workspace",
}


@dataclass(frozen=True)
class Location:
    """A file or folder: an absolute local path, or a URI."""

    uri: str

    @classmethod
    def of(cls, uri: str) -> Location:
        """`uri` may be a plain path (`~` is the home folder), `file:///...` or any scheme that pyarrow.fs opens (s3, gs, hdfs, ...)."""
        if uri.startswith("file://"):
            path = unquote(uri.removeprefix("file://").removeprefix("localhost"))
            if not path.startswith("/"):
                raise ArtifactError(f"{uri}: a file URI holds an absolute path: file:///folder/name")
            return cls.of(path)
        if "://" not in uri:
            local = Path(uri).expanduser()
            return cls(str(local.resolve() if ".." in local.parts else local.absolute()))
        place, mark, options = uri.partition("?")
        scheme, _, rest = place.partition("://")
        return cls(f"{scheme}://{rest.rstrip('/')}{mark}{options}")

    @property
    def is_local(self) -> bool:
        return "://" not in self.uri

    def __truediv__(self, name: str) -> Location:
        if self.is_local:
            return Location(posixpath.join(self.uri, name))
        place, mark, options = self.uri.partition("?")
        return Location(f"{place.rstrip('/')}/{quote(name)}{mark}{options}")

    @property
    def name(self) -> str:
        if self.is_local:
            return posixpath.basename(self.uri)
        return unquote(posixpath.basename(self.uri.partition("?")[0]))

    @property
    def parent(self) -> Location:
        if self.is_local:
            return Location(posixpath.dirname(self.uri))
        place, mark, options = self.uri.partition("?")
        return Location(f"{posixpath.dirname(place)}{mark}{options}")

    def relative(self, below: Location) -> str:
        """The path from this folder to what lies below it."""
        return posixpath.relpath(below.open()[1], self.open()[1])

    def open(self) -> tuple[fs.FileSystem, str]:
        """The filesystem and the path on it."""
        if self.is_local:
            return fs.LocalFileSystem(), self.uri
        place, mark, options = self.uri.partition("?")
        scheme, _, rest = place.partition("://")
        store, _, path = rest.partition("/")
        filesystem, top = _store(f"{scheme}://{store}/{mark}{options}")
        return filesystem, posixpath.join(top, unquote(path)) if path else top

    def exists(self) -> bool:
        filesystem, path = self.open()
        return bool(filesystem.get_file_info(path).type != fs.FileType.NotFound)

    def read(self) -> bytes:
        """The bytes of the file as they are, whatever its name says about compression."""
        filesystem, path = self.open()
        with filesystem.open_input_stream(path, compression=None) as stream:
            return bytes(stream.read())

    def read_json(self) -> Any:
        try:
            return json.loads(self.read())
        except (ValueError, UnicodeDecodeError) as problem:
            raise ArtifactError(f"{self.uri}: not valid JSON ({problem}); the file is damaged, restore or delete it") from problem

    def write(self, data: bytes | pa.Buffer) -> None:
        """Write all of `data` or nothing."""
        filesystem, path = self.open()
        try:
            self._write(filesystem, path, data)
        except OSError as problem:
            remedy = _REMEDIES.get(problem.errno or 0, "check that the place exists and may be written to")
            cause = problem.strerror or next(iter(str(problem).splitlines()), type(problem).__name__)
            raise ArtifactError(f"{self.uri}: cannot be written: {cause} ({remedy}; then run the same command again)") from problem

    def _write(self, filesystem: fs.FileSystem, path: str, data: bytes | pa.Buffer) -> None:
        if self.is_local:
            _write_local(Path(path), data)
        elif filesystem.type_name in _OBJECT_STORES:
            _put(filesystem, path, data)
        else:
            filesystem.create_dir(posixpath.dirname(path), recursive=True)
            temporary = posixpath.join(posixpath.dirname(path), _temporary_name(posixpath.basename(path)))
            _put(filesystem, temporary, data)
            filesystem.move(temporary, path)

    def create(self, data: bytes | pa.Buffer) -> bool:
        """Write a file that is not there yet; False where it is. On a local disk of two that try at once one succeeds; a store that
        cannot promise that is asked first."""
        if not self.is_local:
            if self.exists():
                return False
            self.write(data)
            return True
        aside = self.parent / _temporary_name(self.name)
        aside.write(data)
        try:
            os.link(aside.uri, self.uri)
        except FileExistsError:
            return False
        finally:
            aside.delete()
        _flush_folder(Path(self.uri).parent)
        return True

    def write_json(self, value: Any) -> None:
        self.write(json_bytes(value))

    def children(self) -> list[Location]:
        """What lies directly inside, by name; nothing where there is no such folder."""
        filesystem, path = self.open()
        if filesystem.get_file_info(path).type != fs.FileType.Directory:
            return []
        found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        return sorted((self / posixpath.basename(info.path) for info in found), key=lambda place: place.uri)

    def files(self) -> Iterator[tuple[Location, int]]:
        """Every file below, with its size; nothing where there is no such folder."""
        filesystem, path = self.open()
        if filesystem.get_file_info(path).type != fs.FileType.Directory:
            return
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
        with filesystem.open_input_stream(path, compression=None) as stream:
            while piece := stream.read(1 << 22):
                digest.update(piece)
                size += len(piece)
        return digest.hexdigest(), size


@functools.cache
def _store(uri: str) -> tuple[fs.FileSystem, str]:
    """The filesystem of a bucket or host, opened once a process, and the path of its top."""
    try:
        filesystem, top = fs.FileSystem.from_uri(uri)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as problem:
        raise ArtifactError(f"{uri}: not a place pyarrow can open: {str(problem).splitlines()[0]}") from problem
    return filesystem, top


def _put(filesystem: fs.FileSystem, path: str, data: bytes | pa.Buffer) -> None:
    """One file in one go; what a failure leaves is removed."""
    try:
        with filesystem.open_output_stream(path, compression=None) as stream:
            stream.write(data)
    except BaseException:
        if filesystem.get_file_info(path).type == fs.FileType.File:
            filesystem.delete_file(path)
        raise


def json_bytes(value: Any) -> bytes:
    """A value as a JSON file holds it; a lone surrogate (in a file name, say) becomes its own escape, which reads back as it was."""
    return (json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False) + "\n").encode("utf-8", "backslashreplace")


def _temporary_name(name: str) -> str:
    return f".{name}.{uuid.uuid4().hex[:8]}.tmp"


def _write_local(path: Path, data: bytes | pa.Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(_temporary_name(path.name))
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make a rename last: without it a power cut may keep the manifest and lose a shard that was renamed before it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
