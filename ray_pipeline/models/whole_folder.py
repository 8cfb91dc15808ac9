"""A folder of several files that exists with all of them or not at all.

The files are written beside it, under a hidden name, and the folder is put in place by one rename. A full disk, an error or
a kill leaves at most the hidden folder, which no reader takes for a model.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from ray_pipeline.errors import ModelError


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Yields the folder to write into; it becomes `folder` when the block ends well."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder}: there is something already; give another folder, or delete it first")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    partial.mkdir()
    try:
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                _flush(file)
        partial.rename(folder)
    except (OSError, SafetensorError) as problem:
        raise ModelError(f"{folder}: cannot be written ({problem}); nothing was left behind; make room, or give another folder") from problem
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _flush(file: Path) -> None:
    """Bytes on the device before the rename that makes them visible."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
