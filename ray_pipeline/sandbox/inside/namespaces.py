"""A jail of namespaces: a root of its own that holds the interpreter and nothing else, no network, no process but one's own.

As root the mounts are made by root and nothing is mapped, so a program can be given a user that owns nothing. As an ordinary user
a user namespace comes first, in which that user may mount; there it can be nobody but itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from . import linux

APART = linux.CLONE_NEWNS | linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWPID
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
NOBODY = 65534


def enter(readable: Sequence[str], listed: Sequence[str], folder: str, megabytes: int, as_user: bool) -> None:
    """Leave this machine's files, processes and network. What is started next by this process is the jail's process 1."""
    user, group = os.getuid(), os.getgid()
    linux.unshare(APART | (linux.CLONE_NEWUSER if as_user else 0))
    if as_user:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
        _write("/proc/self/gid_map", f"{NOBODY} {group} 1")
    _new_root(readable, listed, folder, megabytes)


def _new_root(readable: Sequence[str], listed: Sequence[str], folder: str, megabytes: int) -> None:
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    # A new root may stand on any folder: once it is the root, the folder below it is as it was, and found under /before.
    linux.mount("none", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=1m,mode=0755")
    os.mkdir("/tmp/before")
    linux.pivot_root("/tmp", "/tmp/before")
    os.chdir("/")
    for path in (*readable, *DEVICES):
        _show(path)
    linux.unmount("/before")
    os.rmdir("/before")
    os.makedirs(folder)
    linux.mount("none", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"size={megabytes}m,nr_inodes=10000,mode=0755")
    for path in listed:
        os.makedirs(path, exist_ok=True)
    linux.mount("none", "/", None, linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV)


def _show(path: str) -> None:
    """Let a folder, file or device of the machine be seen where it was, to be read only."""
    origin = f"/before{path}"
    try:
        kind = os.stat(origin).st_mode
    except FileNotFoundError:
        return  # /lib64 and the like, which some machines have
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if stat.S_ISDIR(kind):
        os.makedirs(path, exist_ok=True)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o444))
    linux.mount(origin, path, None, linux.MS_BIND | linux.MS_REC)
    # What the mount forbade before must be forbidden still: in a user namespace these flags are locked.
    locked = os.statvfs(path).f_flag & (linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    device = 0 if stat.S_ISCHR(kind) else linux.MS_NODEV
    linux.mount("none", path, None, linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | linux.MS_NOSUID | locked | device)


def _write(path: str, text: str) -> None:
    place = os.open(path, os.O_WRONLY)
    os.write(place, text.encode())
    os.close(place)
