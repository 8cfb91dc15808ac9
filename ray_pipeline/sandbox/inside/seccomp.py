"""seccomp: the system calls that a computing program needs, and no other.

A list of what is allowed, in the kernel's packet-filter code. What is not on it fails with EPERM, which Python shows as a PermissionError; calls
that glibc only tries before it falls back to an allowed one fail with ENOSYS. A few are allowed for some arguments: threads but no processes,
limits read but not set, a pair of sockets but no socket, signals to oneself. Changing modes and times of files is not allowed: Landlock does not
know it, and without a jail any file of the same user could be reached by it.

The numbers differ between machines; those of x86-64 have run here, those of aarch64 follow the kernel's table and have not.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from . import linux

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOWED = {  # name: (x86-64, aarch64 or None where it has no such call)
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80), "lstat": (6, None),
    "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "pread64": (17, 67), "pwrite64": (18, 68),
    "readv": (19, 65), "writev": (20, 66), "access": (21, None), "pipe": (22, None), "select": (23, None), "sched_yield": (24, 124),
    "mremap": (25, 216), "msync": (26, 227), "madvise": (28, 233), "dup": (32, 23), "dup2": (33, None), "pause": (34, None),
    "nanosleep": (35, 101), "getitimer": (36, 102), "alarm": (37, None), "setitimer": (38, 103), "getpid": (39, 172), "recvfrom": (45, 207),
    "sendto": (44, 206), "shutdown": (48, 210), "exit": (60, 93), "uname": (63, 160), "flock": (73, 32), "fsync": (74, 82),
    "fdatasync": (75, 83), "ftruncate": (77, 46), "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49),
    "fchdir": (81, 50), "rename": (82, None), "mkdir": (83, None), "rmdir": (84, None), "creat": (85, None), "link": (86, None),
    "unlink": (87, None), "symlink": (88, None), "readlink": (89, None), "umask": (95, 166),
    "gettimeofday": (96, 169), "getrlimit": (97, 163), "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174),
    "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173), "getpgrp": (111, None), "getgroups": (115, 158),
    "sigaltstack": (131, 132), "gettid": (186, 178), "time": (201, None), "futex": (202, 98), "sched_getaffinity": (204, 123),
    "set_tid_address": (218, 96), "fadvise64": (221, 223), "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "exit_group": (231, 94), "epoll_wait": (232, None), "epoll_ctl": (233, 21), "openat": (257, 56), "mkdirat": (258, 34),
    "newfstatat": (262, 79), "unlinkat": (263, 35), "renameat": (264, 38), "linkat": (265, 37), "symlinkat": (266, 36), "readlinkat": (267, 78),
    "faccessat": (269, 48), "pselect6": (270, 72), "ppoll": (271, 73), "set_robust_list": (273, 99),
    "epoll_pwait": (281, 22), "eventfd2": (290, 19), "epoll_create1": (291, 20), "dup3": (292, 24), "pipe2": (293, 59),
    "renameat2": (316, 276), "getrandom": (318, 278), "statx": (332, 291), "rseq": (334, 293), "close_range": (436, 436),
    "arch_prctl": (158, None), "restart_syscall": (219, 128), "wait4": (61, 260),
}  # fmt: skip
TRIED_FIRST = {"clone3": (435, 435), "faccessat2": (439, 439), "openat2": (437, 437), "fchmodat2": (452, 452), "futex_waitv": (449, 449)}
CLONE_THREAD, TCGETS, FIOCLEX, FIONBIO = 0x10000, 0x5401, 0x5451, 0x5421
FOR_OTHERS = (8, 10, 15, 1024, 1026)  # what fcntl can do to others: owners and signals of descriptors, leases, notices
AF_UNIX, SOCK_STREAM = 1, 1

LOAD, AND, EQUAL, ANY_BIT, RETURN = 0x20, 0x54, 0x15, 0x45, 0x06  # the words of the filter's code that are used
KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
NUMBER, ARCHITECTURE = 0, 4  # where in the kernel's description of a call they stand; arguments follow at 16, eight bytes each


def available() -> bool:
    """Whether this kernel filters, and this machine's numbers are known."""
    if not linux.known_machine():
        return False
    try:
        linux.prctl(linux.PR_GET_SECCOMP)
    except OSError:
        return False
    return True


def program(pid: int) -> bytes:
    """The filter's code for a process whose number is `pid`."""
    column = linux.MACHINES.index(platform.machine())
    code = [_word(LOAD, ARCHITECTURE), _word(EQUAL, ARCHITECTURES[platform.machine()], 1, 0), _word(RETURN, KILL), _word(LOAD, NUMBER)]
    for numbers in ALLOWED.values():
        if (number := numbers[column]) is not None:
            code += [_word(EQUAL, number, 0, 1), _word(RETURN, ALLOW)]
    for numbers in TRIED_FIRST.values():
        code += [_word(EQUAL, numbers[column], 0, 1), _word(RETURN, ERRNO | errno.ENOSYS)]
    for numbers, test in _conditions(pid):
        code += [_word(EQUAL, numbers[column], 0, len(test)), *test]
    return b"".join([*code, _word(RETURN, ERRNO | errno.EPERM)])


def _conditions(pid: int) -> list[tuple[tuple[int, int], list[bytes]]]:
    """Calls that are allowed for some arguments: what is tested once the number fits. Each ends in a verdict."""
    refuse = _word(RETURN, ERRNO | errno.EPERM)
    allow = _word(RETURN, ALLOW)
    return [
        ((56, 220), [_argument(0), _word(ANY_BIT, CLONE_THREAD, 0, 1), allow, refuse]),  # clone: a thread, not a process
        ((234, 131), [_argument(0), _word(EQUAL, pid, 0, 1), allow, refuse]),  # tgkill: what abort() and raise() do to their own process
        ((302, 261), [_argument(2), _word(EQUAL, 0, 0, 3), _argument(2, high=True), _word(EQUAL, 0, 0, 1), allow, refuse]),  # prlimit64: read only
        ((16, 29), [_argument(1), *(_word(EQUAL, request, 3 - at, 0) for at, request in enumerate((TCGETS, FIOCLEX, FIONBIO))), refuse, allow]),
        ((72, 25), [_argument(1), *(_word(EQUAL, command, 5 - at, 0) for at, command in enumerate(FOR_OTHERS)), allow, refuse]),
        ((53, 199), [_argument(0), _word(EQUAL, AF_UNIX, 0, 4), _argument(1), _word(AND, 0xF), _word(EQUAL, SOCK_STREAM, 0, 1), allow, refuse]),
    ]  # ioctl: is it a terminal, close on exec, non-blocking; socketpair: what an event loop wakes itself with


def _argument(at: int, high: bool = False) -> bytes:
    return _word(LOAD, 16 + 8 * at + (4 if high else 0))  # little endian: the low half first


def _word(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def filter_calls(code: bytes) -> None:
    """Put this process under the filter, for good; it must have given up new privileges before."""
    words = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("@HP", len(code) // 8, ctypes.addressof(words))
    linux.prctl(linux.PR_SET_SECCOMP, 2, ctypes.c_char_p(head))
