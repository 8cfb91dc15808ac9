"""How a nursery is started on this machine: what it may see, and by which way it leaves everything else."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from ray_pipeline.errors import SandboxError
from ray_pipeline.sandbox.settings import SandboxSettings

INSIDE: Final = Path(__file__).parent / "inside"
BOOT: Final = (
    "import sys, json, socket; sys.path.insert(0, sys.argv[1]); from inside import nursery; "
    "nursery.main(socket.socket(fileno=int(sys.argv[2])), json.loads(sys.argv[3]))"
)
LIBRARIES: Final = (  # shared ones, wherever distributions keep them; not all of /usr/lib, which holds packages of Python too
    *(f"{place}/{machine}-linux-gnu" for place in ("/usr/lib", "/lib") for machine in ("x86_64", "aarch64")),
    "/usr/lib64", "/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo",
)  # fmt: skip
PACKAGES: Final = ("site-packages", "dist-packages")
JAILED: Final = "/programs"  # where a jail's own disk is mounted
USERS: Final = ((2_000_000_000, 1_000_000), (60_000, 1_000))  # first and count: numbers that no user has; the second where a container knows few
IMPORTS: Final = (  # what programs import most, loaded once
    "abc", "array", "ast", "base64", "bisect", "calendar", "cmath", "collections", "collections.abc", "copy", "ctypes", "datetime", "decimal", "enum",
    "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "math", "operator", "queue", "random", "re", "statistics", "string",
    "struct", "sys", "textwrap", "threading", "time", "traceback", "types", "typing", "unittest", "uuid",
)  # fmt: skip
_NURSERIES: Final = itertools.count()


def interpreter() -> str:
    """The interpreter itself, not a virtual environment's name for it."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def library() -> Path:
    """The folder of the standard library: of the interpreter itself, not of a virtual environment."""
    return Path(os.__file__).resolve().parent


def readable(settings: SandboxSettings) -> list[str]:
    """What a program may read: the standard library without the packages that lie in it, shared libraries, what the settings add."""
    standard = [str(path) for path in library().iterdir() if path.name not in PACKAGES]
    interpreters = [str(path) for path in library().parent.glob("libpython*")]
    return sorted({*standard, *interpreters, *LIBRARIES, str(INSIDE), *(str(Path(path).resolve()) for path in settings.packages)})


def check_packages(settings: SandboxSettings) -> None:
    """Refuse folders that programs could not import from."""
    for path in settings.packages:
        if not Path(path).is_dir():
            raise SandboxError(f"sandbox.packages: {path}: no such folder")
        if os.geteuid() == 0 and Path(path).stat().st_mode & 0o5 != 0o5:
            raise SandboxError(f"sandbox.packages: {path}: other users may not read it, and programs run as one (chmod o+rx)")


def command(settings: SandboxSettings, jail: str, folder: str, control: int) -> list[str]:
    """The command that starts a nursery whose orders come over the file descriptor `control`."""
    limits = settings.limits
    seen = readable(settings)
    plan: dict[str, Any] = {
        "jail": jail,
        "readable": seen,
        "listed": [str(library())],  # or nothing would be found in it
        "folder": folder,
        "megabytes": 4 * limits.file_mb,
        "user": _user(),
        "imports": IMPORTS,
        "packages": [str(Path(path).resolve()) for path in settings.packages],
        "package_imports": settings.imports,
        "bounds": {
            "cpu": limits.cpu,
            "memory": limits.memory_mb << 20,
            "threads": limits.threads,
            "open_files": limits.open_files,
            "file_bytes": limits.file_mb << 20,
            "stack": limits.stack_mb << 20,
        },
    }
    start = [interpreter(), "-I", "-S", "-B", "-X", "utf8", "-c", BOOT, str(INSIDE.parent), str(control), json.dumps(plan)]
    return [*_bubblewrap(seen, folder, limits.file_mb), *start] if jail == "bubblewrap" else start


def _user() -> int:
    """A user for the programs of one nursery; each nursery takes its own, since the programs of a user share its limits."""
    known = [[int(word) for word in line.split()] for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()]
    first, count = next((users for users in USERS if any(start <= users[0] < start + size for start, _, size in known)), USERS[-1])
    return first + (os.getpid() * 64 + next(_NURSERIES)) % count


def _bubblewrap(seen: list[str], folder: str, file_mb: int) -> list[str]:
    found = shutil.which("bwrap") or "bwrap"
    shown = [word for path in [*seen, interpreter()] for word in ("--ro-bind-try", path, path)]
    walls = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    return [found, *walls, *shown, "--dev", "/dev", "--size", str(4 * file_mb << 20), "--tmpfs", folder, "--proc", "/proc", "--"]


def ways(settings: SandboxSettings) -> list[str]:
    """The jails to try, best first."""
    if settings.jail != "auto":
        return [settings.jail]
    own = ["root"] if os.geteuid() == 0 else []
    wrapped = ["bubblewrap"] if shutil.which("bwrap") else []
    return [*own, "user", *wrapped, "none"]
