"""Landlock: from here on this process sees the files it was told of, talks to no TCP port and signals nobody outside.

A ruleset is a file descriptor; it is made once and a program ties itself to it in one call. Kernels know more rights from version to version
of the interface (ABI); each is handled, so denied, where it is known.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

from . import linux

EXECUTE, READ_FILE, READ_DIR = 1 << 0, 1 << 2, 1 << 3
READ = READ_FILE | READ_DIR
RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # how many rights over files an ABI knows
OF_FILES = EXECUTE | 1 << 1 | READ_FILE | 1 << 14 | 1 << 15  # rights that a plain file can have
TCP, SCOPES = 0b11, 0b11  # bind and connect, since ABI 4; abstract sockets and signals, since ABI 6
CREATE_RULESET_VERSION, RULE_PATH_BENEATH = 1, 1


def abi() -> int:
    """The version of the interface that this kernel has; 0: none."""
    if not linux.known_machine():
        return 0
    try:
        return linux.call("landlock_create_ruleset", None, 0, CREATE_RULESET_VERSION)
    except OSError:
        return 0


def ruleset(readable: Iterable[str], writable: Iterable[str], listed: Iterable[str]) -> int:
    """A ruleset that lets files be read below `readable`, all be done but running programs below `writable`, and folders be listed below `listed`."""
    version = abi()
    known = (1 << next(count for since, count in sorted(RIGHTS.items(), reverse=True) if version >= since)) - 1
    attributes = (ctypes.c_uint64 * 3)(known, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 8 * (3 if version >= 6 else 2 if version >= 4 else 1)
    rules = linux.call("landlock_create_ruleset", ctypes.byref(attributes), size, 0)
    granted = [(path, READ) for path in readable] + [(path, known & ~EXECUTE) for path in writable] + [(path, READ_DIR) for path in listed]
    for path, rights in granted:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = rights if os.path.isdir(path) else rights & OF_FILES & known
        rule = (ctypes.c_byte * 12)(*(allowed.to_bytes(8, "little") + place.to_bytes(4, "little")))
        linux.call("landlock_add_rule", rules, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
        os.close(place)
    return rules


def restrict(rules: int) -> None:
    """Tie this process to the rules, for good."""
    linux.call("landlock_restrict_self", rules, 0)
