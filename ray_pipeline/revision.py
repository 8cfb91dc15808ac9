"""Which code made an artifact: the commit where there is one, else a hash of the library's own sources."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from pathlib import Path

_PACKAGE = Path(__file__).parent
_CODE = ("ray_pipeline", "jobs", "serve", "configs")


@functools.cache
def code_revision() -> str:
    """`git:<commit>` (`+changes` where the tree differs from it, new files included) or `source:<hash>`."""
    return revision_of(_PACKAGE)


def revision_of(package: Path) -> str:
    """The revision of the package in this folder, whose repository, if it has one, is the folder above."""
    if (package.parent / ".git").exists():
        commit = _git(package.parent, "rev-parse", "HEAD")
        changed = _git(package.parent, "--no-optional-locks", "status", "--porcelain", "--", *_CODE)
        if commit and changed is not None:
            return f"git:{commit[:12]}{'+changes' if changed else ''}"
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return f"source:{digest.hexdigest()[:12]}"


def _git(repository: Path, *arguments: str) -> str | None:
    """What git answers; None where it cannot: then the hash of the sources names the code instead."""
    try:
        ran = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None
