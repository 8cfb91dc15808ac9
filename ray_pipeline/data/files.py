"""Where data files lie and how they are opened: local paths and every URI that pyarrow.fs knows (`s3://`, `gs://`,
`file://`).

A file is written under a hidden temporary name in its own folder and moved to its name when it is complete, so nobody ever
reads half a file; an object store has no rename, there the move is a copy. Compression goes by the name (`.gz`, `.zst`,
`.bz2`). Lines end at "\\n" only ("\\r\\n" too): Python's own splitting would also cut at U+2028 and other characters that
texts hold.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import pyarrow as pa
from pyarrow import fs

from ray_pipeline.errors import DataError
from ray_pipeline.storage import Location

_BOM = b"\xef\xbb\xbf"
_READ_AHEAD = 1 << 20


def locate(path: str) -> tuple[fs.FileSystem, str]:
    """The file system that `path` lies on and its name there."""
    return Location.of(path).open()


def join(folder: str, name: str) -> str:
    """The path of `name` inside `folder`."""
    return f"{folder.rstrip('/')}/{name}"


def is_file(path: str) -> bool:
    system, name = locate(path)
    return bool(system.get_file_info(name).type == fs.FileType.File)


def is_folder(path: str) -> bool:
    system, name = locate(path)
    return bool(system.get_file_info(name).type == fs.FileType.Directory)


def file_names(folder: str) -> list[str]:
    """The names of the files directly in `folder`, sorted; hidden ones left out."""
    system, name = locate(folder)
    found = system.get_file_info(fs.FileSelector(name, allow_not_found=True))
    return sorted(entry.base_name for entry in found if entry.type == fs.FileType.File and not entry.base_name.startswith("."))


def first_present(folder: str, names: tuple[str, ...], what: str) -> str:
    """The path of the one file of `names` (plain or with .gz) that `folder` holds; none or two are errors."""
    wanted = {suffixed for name in names for suffixed in (name, f"{name}.gz")}
    present = [name for name in file_names(folder) if name in wanted]
    if len(present) == 1:
        return join(folder, present[0])
    if not present:
        raise DataError(f"{folder}: no {what} here; one of {', '.join(names)} (or with .gz) must exist")
    raise DataError(f"{folder}: more than one {what}: {', '.join(present)}; leave one")


@contextmanager
def reading(path: str) -> Iterator[BinaryIO]:
    """`path` opened for reading from the front, decompressed by its name."""
    system, name = locate(path)
    try:
        stream = system.open_input_stream(name)
    except (OSError, pa.ArrowInvalid) as problem:
        raise DataError(f"{path}: the file cannot be opened: {problem}") from problem
    with stream:
        yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, stream), _READ_AHEAD))


@contextmanager
def writing(path: str) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file `path` when the block ends well, and nothing when it does not."""
    system, name = locate(path)
    folder, _, base = name.rpartition("/")
    system.create_dir(folder, recursive=True)
    unfinished = f"{folder}/.{uuid.uuid4().hex}-{base}"
    try:
        with system.open_output_stream(unfinished) as stream:
            yield cast(BinaryIO, stream)
        system.move(unfinished, name)
    except BaseException:
        if system.get_file_info(unfinished).type == fs.FileType.File:
            system.delete_file(unfinished)
        raise


def byte_lines_with_ends(path: str) -> Iterator[tuple[int, bytes]]:
    """Every line of `path` as it stands, with its number from 1; only a byte order mark is left out."""
    number = 0
    with reading(path) as stream:
        try:
            for number, line in enumerate(stream, start=1):
                yield number, line.removeprefix(_BOM) if number == 1 else line
        except OSError as problem:
            raise DataError.at(path, number + 1, f"the file cannot be read on: {problem}") from problem


def byte_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """The lines of `path` that are not blank, with their numbers, without line ends."""
    for number, line in byte_lines_with_ends(path):
        if line.strip():
            yield number, line.removesuffix(b"\n").removesuffix(b"\r")


def decoded(line: bytes, path: str, number: int) -> str:
    """`line` as text; a byte that is not UTF-8 is an error at its line."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise DataError.at(path, number, f"byte {problem.start + 1} is not UTF-8", "save the file as UTF-8") from problem
