"""The system calls that Python has no words for: namespaces, mounts, capabilities, no_new_privs, Landlock, seccomp, a fork into a new pid namespace.

`PyDLL` keeps the interpreter's lock while a call runs, so a fork through it leaves the child with its own lock held and no other thread.
"""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
SIGCHLD = 17
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_GET_SECCOMP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 21, 22, 38
CALLS = {  # what glibc does not wrap: (x86-64, aarch64)
    "clone": (56, 220),
    "pivot_root": (155, 41),
    "capset": (126, 91),
    "perf_event_open": (298, 241),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
MACHINES = ("x86_64", "aarch64")

_libc = ctypes.PyDLL(None, use_errno=True)


def known_machine() -> bool:
    """Whether this machine's system calls are known here."""
    return platform.machine() in MACHINES


def call(name: str, *arguments: Any) -> int:
    """A system call by name."""
    number = CALLS[name][MACHINES.index(platform.machine())]
    return checked(_libc.syscall(ctypes.c_long(number), *[_word(one) for one in arguments]), name)


def _word(value: Any) -> Any:
    return ctypes.c_long(value) if isinstance(value, int) else value


def checked(result: int, name: str) -> int:
    """The result, or the error that the call left."""
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def prctl(option: int, *arguments: Any) -> int:
    """Ask the kernel something about this process."""
    words = [_word(one) for one in arguments] + [ctypes.c_long(0)] * (4 - len(arguments))
    return checked(_libc.prctl(ctypes.c_int(option), *words), "prctl")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(origin: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mount something somewhere; the error names the place."""
    result = _libc.mount(origin.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), data.encode() or None)
    checked(result, f"mount {origin} on {target}")


def unmount(target: str) -> None:
    """Take a mount away, now or when it is free."""
    checked(_libc.umount2(target.encode(), ctypes.c_int(MNT_DETACH)), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root; the old one is found at `old`."""
    call("pivot_root", new.encode(), old.encode())


def drop_capabilities() -> None:
    """Give up every privilege that root has over an ordinary user."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def fork_into_new_pids() -> int:
    """A fork whose child is process 1 of a pid namespace of its own: when it ends, the kernel ends all that it started."""
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = _libc.syscall(*[ctypes.c_long(one) for one in (CALLS["clone"][MACHINES.index(platform.machine())], CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0)])
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return checked(pid, "clone")
