"""Which code made an artifact: the commit where there is one, else a hash of the library's own sources."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from pathlib import Path

_PACKAGE = Path(__file__).parent


@functools.cache
def code_revision() -> str:
    """`git:<commit>` (`+changes` where the tree differs from it) or `source:<hash>`."""
    if (_PACKAGE.parent / ".git").exists():
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "ray_pipeline", "jobs", "serve", "configs")
        if commit:
            return f"git:{commit[:12]}{'+changes' if changed else ''}"
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return f"source:{digest.hexdigest()[:12]}"


def _git(*arguments: str) -> str:
    try:
        ran = subprocess.run(["git", *arguments], cwd=_PACKAGE.parent, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""  # no git here: the hash of the sources names the code instead
    return ran.stdout.strip() if ran.returncode == 0 else ""
