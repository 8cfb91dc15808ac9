"""How much memory there is and how much is used, of the machine or of a GPU.

On the CPU the least of three bounds counts: what the kernel calls available, and the limit of every control group this
process is in (version 2 or 1), less what the group holds and could not give back at once (page cache of files can be). A
container mostly sees its own group as the root of the hierarchy, so the root's files are read where the path's are absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

_NO_LIMIT = 1 << 60  # version 1 writes some 2^63 for "no limit"


def free_bytes(device: torch.device | str, root: Path = Path("/")) -> int:
    """Bytes that may still be allocated; `root` is where /proc and /sys are."""
    where = torch.device(device)
    if where.type == "cuda":
        free, _ = torch.cuda.mem_get_info(where)
        return int(free + torch.cuda.memory_reserved(where) - torch.cuda.memory_allocated(where))
    return max(0, min([_available(root), *_group_bounds(root)]))


def used_bytes(device: torch.device | str, root: Path = Path("/")) -> int:
    """Bytes this process holds: resident memory, or what torch has allocated on the GPU at most so far."""
    where = torch.device(device)
    if where.type == "cuda":
        return int(torch.cuda.max_memory_allocated(where))
    return _table(root / "proc/self/status")["VmRSS"] * 1024


def _available(root: Path) -> int:
    return _table(root / "proc/meminfo")["MemAvailable"] * 1024


def _group_bounds(root: Path) -> Iterator[int]:
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _bounds(root / "sys/fs/cgroup", path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            yield from _bounds(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _bounds(mount: Path, path: str, limit: str, usage: str, cache: str) -> Iterator[int]:
    """The room left in the group and in each group around it."""
    group = mount / path.lstrip("/")
    for place in (group, *group.parents):
        if not place.is_relative_to(mount):
            return
        if not (place / limit).exists():
            continue
        text = (place / limit).read_text().strip()
        if text != "max" and int(text) < _NO_LIMIT:
            yield int(text) - int((place / usage).read_text()) + _table(place / "memory.stat").get(cache, 0)


def _table(file: Path) -> dict[str, int]:
    """Lines of `name value` or `Name: value kB`."""
    rows = (line.replace(":", " ").split() for line in file.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) >= 2 and row[1].isdigit()}
