"""A process that waits inside a jail and gives birth to programs: a fork takes a thousandth of a second, a fresh interpreter twenty.

Orders come over a socket of whole messages, each with the two ends a program is given: the stream it talks over and where its standard output
goes. The nursery never reads a byte that a program wrote. It watches the clock, kills what is late or unwanted, waits until the last
process of the program is gone, clears the folder and reports how it ended. When the one who gives orders is gone, so is the jail.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from . import confinement, counter, landlock, linux, namespaces, program, seccomp
from .clearing import clear

NOT_CONFINED = 113  # how a child ends that could not be confined


def main(control: socket.socket, plan: dict[str, Any]) -> None:
    """Enter the jail that the plan names, say what holds programs there, then serve."""
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        program.warm(plan["imports"])
        plan["bounds"]["memory"] += confinement.address_space()  # what the interpreter itself takes is not the program's
        if plan["jail"] in ("root", "user"):
            namespaces.enter(plan["readable"], plan["listed"], plan["folder"], plan["megabytes"], as_user=plan["jail"] == "user")
            waiting = os.fork()  # the jail's process 1; this one stays outside it to wait
            if waiting:
                control.close()
                os.waitpid(waiting, 0)
                os._exit(0)
            linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        nursery = Nursery(control, plan)
    except (OSError, ImportError) as problem:
        control.send(json.dumps({"failed": str(problem)}).encode())
        return
    control.send(json.dumps({"layers": vars(nursery.layers)}).encode())
    nursery.serve()


class Nursery:
    """Orders in, children out, one at a time."""

    def __init__(self, control: socket.socket, plan: dict[str, Any]) -> None:
        self.control, self.user = control, plan["user"]
        self.layers = confinement.found(plan["jail"])
        self.bounds = confinement.Bounds(**plan["bounds"])
        self.place = f"{plan['folder']}/program"
        os.umask(0o077)
        self._new_place()
        seen = [path for path in (*plan["readable"], *namespaces.DEVICES) if os.path.exists(path)]
        self.rules = landlock.ruleset(seen, [self.place], plan["listed"]) if self.layers.landlock else None
        self.code = seccomp.program(1) if self.layers.seccomp and self.layers.pids else None
        sys.path += plan["packages"]
        program.warm(plan["package_imports"])  # within the jail: they come from folders that a user names
        gc.collect()
        gc.freeze()  # what is loaded now is shared with every child and not looked through again

    def serve(self) -> None:
        """Until the other end closes."""
        while True:
            message, ends, _, _ = socket.recv_fds(self.control, 1 << 16, 2)
            if not message:
                return
            if not ends:
                continue  # a kill, or a look at the clock, that came after its program had ended
            order = json.loads(message)
            started = time.monotonic()
            told, tells = os.pipe()  # closed by the child once it is confined
            pid = linux.fork_into_new_pids() if self.layers.pids else os.fork()
            if pid == 0:
                self._become(order, tells, *ends)
            for end in (tells, *ends):
                os.close(end)
            counted, uncounted = _counter(pid, order.get("counter"))
            problem = os.read(told, 500)
            os.close(told)
            report = self._watch(pid, started, order["wall"], counted)
            if counted is not None:
                os.close(counted)
            if problem:
                report["unconfined"] = problem.decode(errors="replace")
            if uncounted:
                report["uncounted"] = uncounted
            self.control.send(json.dumps(report).encode())

    def _become(self, order: dict[str, Any], tells: int, stream: int, output: int) -> None:
        """The child: never returns."""
        try:
            silence = os.open("/dev/null", os.O_RDWR)
            tells = _high(tells)  # wherever the next lines fail, there is an end to tell it by
            kept = _moved({0: silence, 1: output, 2: output, 3: stream, 4: tells} | ({} if self.rules is None else {5: self.rules}))
            tells = 4
            os.closerange(len(kept), 1 << 16)
            if not self.layers.pids:
                os.setsid()
            os.chdir(self.place)
            if order.get("processor") is not None:
                os.sched_setaffinity(0, [order["processor"]])
            code = self.code if self.code is not None or not self.layers.seccomp else seccomp.program(os.getpid())
            confinement.confine(self.layers, self.bounds, None if self.rules is None else 5, code, self.user)
            os.closerange(4, 6)
        except BaseException as problem:
            os.write(tells, f"{type(problem).__name__}: {problem}".encode())
            os._exit(NOT_CONFINED)
        program.run(order, stream=3)

    def _watch(self, pid: int, started: float, wall: float, counted: int | None) -> dict[str, Any]:
        """Wait for the child's end, or make it end."""
        killed = None
        clock = (~pid << 3) | 2  # the kernel's name for the time that all threads of a process computed
        handle = os.pidfd_open(pid)
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        waiting.register(self.control, select.POLLIN)
        while killed is None:
            left = started + wall - time.monotonic()
            ready = dict(waiting.poll(max(0.0, left) * 1000)) if left > 0 else {}
            if handle in ready:
                break
            if not ready:
                killed = "wall"
            else:
                message = self.control.recv(1 << 16)
                if message == b"clock":
                    count = None if counted is None else counter.read(counted)
                    self.control.send(json.dumps({"clock": time.clock_gettime_ns(clock), "count": count}).encode())
                else:
                    killed = "asked" if message else "left"
        if killed is not None:
            self._kill(pid)
        _, status, usage = os.wait4(pid, 0)
        seconds = time.monotonic() - started
        os.close(handle)
        if killed == "left":
            os._exit(0)
        exit_code = os.waitstatus_to_exitcode(status)
        spent = not clear(self.place)
        return {
            "exit": exit_code,
            "spent": spent,
            "killed": killed,
            "seconds": seconds,
            "cpu": usage.ru_utime + usage.ru_stime,
            "kilobytes": usage.ru_maxrss,
        }

    def _kill(self, pid: int) -> None:
        """The child and, where it may have some, all it started."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if not self.layers.pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _new_place(self) -> None:
        os.makedirs(self.place, exist_ok=True)
        if os.geteuid() == 0 and self.layers.other_user:
            os.chown(self.place, self.user, self.user)


def _counter(pid: int, wanted: list[int] | None) -> tuple[int | None, str]:
    """A counter on the child, where one is wanted; or why there is none."""
    if wanted is None:
        return None, ""
    try:
        return counter.opened(pid, *wanted), ""
    except OSError as problem:
        return None, str(problem)


def _moved(ends: dict[int, int]) -> list[int]:
    """Put each file descriptor where it is wanted: first out of each other's way, then into place."""
    aside = {want: _high(have) for want, have in ends.items()}
    for want, have in aside.items():
        os.dup2(have, want, inheritable=True)
    return sorted(ends)


def _high(descriptor: int) -> int:
    moved: int = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100)
    return moved
