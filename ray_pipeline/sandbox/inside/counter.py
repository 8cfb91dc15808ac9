"""Counting what a process does: the kernel's counters, opened from outside on a child before it begins.

Instructions are counted in user space, of all threads and processes that the child starts from then on. Many virtual machines show their guests no
such counter; opening it is then refused with ENOENT.
"""

from __future__ import annotations

import os
import struct

from . import linux

INSTRUCTIONS = (0, 1)  # PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS
TASK_CLOCK = (1, 1)  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK: nanoseconds; every kernel has it
SIZE = 128  # of perf_event_attr
FLAGS_AT = 40  # behind type, size, config, sample period, sample type, read format
INHERIT, EXCLUDE_KERNEL, EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6


def opened(pid: int, kind: int, event: int) -> int:
    """A descriptor whose eight bytes are the count so far."""
    asked = bytearray(SIZE)
    struct.pack_into("=IIQ", asked, 0, kind, SIZE, event)
    struct.pack_into("=Q", asked, FLAGS_AT, INHERIT | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR)
    return linux.call("perf_event_open", bytes(asked), pid, -1, -1, 0)


def read(descriptor: int) -> int:
    """The count so far."""
    found: int = struct.unpack("=Q", os.read(descriptor, 8))[0]
    return found


def missing(kind: int, event: int) -> str | None:
    """Why this cannot be counted on this machine; None where it can."""
    try:
        os.close(opened(0, kind, event))
    except OSError as problem:
        return str(problem)
    return None
