"""What a program may use, and what it must be held by."""

from __future__ import annotations

from typing import Literal

from ray_pipeline.config import Settings, identity, placement, section

Level = Literal["limited", "filtered", "isolated"]
LEVELS: tuple[Level, ...] = ("limited", "filtered", "isolated")


class LimitSettings(Settings):
    """Hard limits of one program: what goes beyond one of them ends it."""

    wall: float = identity(10.0, "seconds by the clock", gt=0)
    cpu: int = identity(60, "seconds of computing", ge=1)
    memory_mb: int = identity(4096, "MB of memory beyond the interpreter's own", ge=16)
    threads: int = identity(32, "threads; processes are never allowed", ge=1)
    open_files: int = identity(64, "open files", ge=8)
    file_mb: int = identity(16, "MB of one file, and four times that in all", ge=1)
    output_mb: int = identity(256, "MB that a program may answer or print in all", ge=1)
    stack_mb: int = identity(64, "MB of stack", ge=1)


class SandboxSettings(Settings):
    """How programs are held."""

    minimum: Level = identity(
        "filtered",
        "refuse to run below this: limited (limits of the kernel alone), filtered (Landlock and seccomp too), isolated (namespaces of its own too)",
    )
    jail: Literal["auto", "root", "user", "bubblewrap", "none"] = placement(
        "auto", "what keeps files, processes and network apart; auto: the best that this machine allows"
    )
    limits: LimitSettings = section(LimitSettings(), "what one program may use")
    packages: tuple[str, ...] = identity((), "folders of packages that programs may import, beside the standard library")
    imports: tuple[str, ...] = placement((), "modules of these folders that are loaded once, for all programs")
