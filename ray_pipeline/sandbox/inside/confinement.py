"""What a program is held by before its first line runs: limits, another user, no privileges, Landlock, seccomp, in this order.

The last two would forbid the first three. Each layer that the nursery found is applied or the program does not run: a call that fails here
raises, and the program ends before it began.
"""

from __future__ import annotations

import os
import resource
import signal
from dataclasses import dataclass

from . import landlock, linux, seccomp


@dataclass(frozen=True)
class Layers:
    """What this nursery holds programs by."""

    jail: str  # "root", "user", "bubblewrap" or "none"
    pids: bool  # a pid namespace for each program
    other_user: bool
    landlock: int  # its ABI; 0: none
    seccomp: bool


@dataclass(frozen=True)
class Bounds:
    """Hard limits of one program."""

    cpu: int  # seconds
    memory: int  # bytes of address space
    threads: int
    open_files: int
    file_bytes: int
    stack: int  # bytes


def found(jail: str) -> Layers:
    """The layers that this process can apply to a program."""
    privileged = os.geteuid() == 0 and jail in ("root", "none")
    return Layers(jail, jail in ("root", "user"), privileged, landlock.abi(), seccomp.available())


def confine(layers: Layers, bounds: Bounds, rules: int | None, code: bytes | None, user: int) -> None:
    """Apply every layer to this process, for good."""
    limits = {
        resource.RLIMIT_CPU: bounds.cpu,
        resource.RLIMIT_AS: bounds.memory,
        resource.RLIMIT_NPROC: bounds.threads,
        resource.RLIMIT_NOFILE: bounds.open_files,
        resource.RLIMIT_FSIZE: bounds.file_bytes,
        resource.RLIMIT_STACK: bounds.stack,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for kind, most in limits.items():
        highest = resource.getrlimit(kind)[1]
        most = most if highest == resource.RLIM_INFINITY else min(most, highest)
        resource.setrlimit(kind, (most, most))
    if layers.other_user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    linux.drop_capabilities()
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user forgets it
    linux.prctl(linux.PR_SET_DUMPABLE, 0)  # no other process of this user may look into it
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    if rules is not None:
        landlock.restrict(rules)
    if code is not None:
        seccomp.filter_calls(code)


def address_space() -> int:
    """Bytes of address space this process has; asked before a jail is entered, which has no /proc."""
    with open("/proc/self/statm", encoding="ascii") as pages:
        return int(pages.read().split()[0]) * resource.getpagesize()
