"""One nursery as the library holds it: started, given programs one at a time, started again if it dies, ended with all it holds."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray_pipeline.errors import SandboxError
from ray_pipeline.sandbox import plan
from ray_pipeline.sandbox.inside.clearing import clear
from ray_pipeline.sandbox.settings import LEVELS, Level, SandboxSettings

START_SECONDS = 60.0
GRACE = 5.0  # seconds after a program's own that its nursery may take to report


@dataclass(frozen=True)
class Held:
    """By what programs are held here; recorded with every result."""

    jail: str
    pids: bool
    other_user: bool
    landlock: int
    seccomp: bool

    @property
    def level(self) -> Level:
        """The level these layers amount to."""
        if not (self.landlock and self.seccomp):
            return "limited"
        return "filtered" if self.jail == "none" else "isolated"

    def sentence(self) -> str:
        """The layers in words."""
        names = ["limits", "no new privileges"]
        names += [f"Landlock {self.landlock}"] if self.landlock else []
        names += ["seccomp"] if self.seccomp else []
        names += ["another user"] if self.other_user else []
        names += [{"root": "namespaces", "user": "namespaces of a user", "bubblewrap": "bubblewrap"}[self.jail]] if self.jail != "none" else []
        names += ["processes of its own"] if self.pids else []
        return f"{self.level}: {', '.join(names)}"


class Nursery:
    """A running jail. `order` starts a program in it, `report` waits for its end."""

    def __init__(self, settings: SandboxSettings) -> None:
        plan.check_packages(settings)
        self._early: dict[str, Any] | None = None  # a report that came where the clock was asked for
        problems = []
        for jail in plan.ways(settings):
            try:
                self._start(settings, jail)
            except SandboxError as problem:
                problems.append(f"{jail}: {problem}")
                continue
            if LEVELS.index(self.held.level) >= LEVELS.index(settings.minimum):
                self.broken = False
                return
            problems.append(f"{jail}: holds programs by no more than {self.held.sentence()}")
            self.close()
        tried = "\n".join(f"- {problem}" for problem in problems)
        raise SandboxError(
            f"sandbox.minimum={settings.minimum} cannot be reached on this machine:\n{tried}\n"
            "Run on Linux 5.13 or newer, allow user namespaces (in Docker: --security-opt seccomp=unconfined), "
            "or, for programs that you trust, lower sandbox.minimum"
        )

    def _start(self, settings: SandboxSettings, jail: str) -> None:
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Without a disk of its own a jail works in a folder of the machine's.
        self._outside = tempfile.mkdtemp(prefix="sandbox-") if jail == "none" else None
        folder = self._outside or plan.JAILED
        if self._outside and os.geteuid() == 0:
            Path(self._outside).chmod(0o711)  # the program's user passes through to its own folder
        with tempfile.TemporaryFile() as said:
            command = plan.command(settings, jail, folder, theirs.fileno())
            try:
                self._process = subprocess.Popen(
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, env={}, cwd="/"
                )
            except OSError as problem:
                own.close()
                raise SandboxError(f"{command[0]} does not start: {problem}") from None
            finally:
                theirs.close()
            self.control = own
            self._ending = weakref.finalize(self, _end, os.getpid(), own, self._process, self._outside)  # also where nobody closes it
            own.settimeout(START_SECONDS)
            try:
                first = json.loads(own.recv(1 << 16) or b"{}")
            except TimeoutError:
                first = {"failed": f"nothing heard for {START_SECONDS:.0f} s"}
            if "layers" not in first:
                self.close()
                said.seek(0)
                raise SandboxError(first.get("failed") or said.read().decode(errors="replace").strip()[-500:] or "ended without a word")
        self.held = Held(**first["layers"])

    def order(self, what: dict[str, Any], stream: int, output: int) -> None:
        """Start a program with these two ends."""
        self._wall, self._early = float(what["wall"]), None
        try:
            socket.send_fds(self.control, [json.dumps(what).encode()], [stream, output])
        except OSError as problem:
            self.close()
            raise SandboxError(f"a jail ended without being asked: {problem}") from None

    def clock(self) -> tuple[int, int | None] | None:
        """Nanoseconds that the program has computed, and what else is counted of it; None where it has ended."""
        self.control.settimeout(self._wall + GRACE)
        try:
            self.control.send(b"clock")
            found = json.loads(self.control.recv(1 << 16) or b"{}")
        except OSError:
            return None  # the jail is gone; waiting for its report says so
        if "clock" in found:
            return int(found["clock"]), found["count"]
        self._early = found
        return None

    def kill(self) -> None:
        """End the program that runs; its report is still to be waited for."""
        with contextlib.suppress(OSError):  # a jail that is gone; waiting for its report says so
            self.control.send(b"kill")

    def report(self) -> dict[str, Any]:
        """How the program ended."""
        found, self._early = self._early or self._reported(), None
        if "unconfined" in found:
            self.close()
            raise SandboxError(f"a program could not be confined, so it was not run: {found['unconfined']}")
        if "uncounted" in found:
            raise SandboxError(f"what a program does cannot be counted in this jail: {found['uncounted']}")
        if found["spent"]:
            self.close()  # its folder could not be cleared; the next program gets a new jail
        return found

    def _reported(self) -> dict[str, Any]:
        self.control.settimeout(self._wall + GRACE)
        try:
            message = self.control.recv(1 << 16)
        except (TimeoutError, ConnectionResetError):
            message = b""
        if not message:
            self.close()
            raise SandboxError("a jail did not report how its program ended, and was ended")
        found: dict[str, Any] = json.loads(message)
        return found

    def close(self) -> None:
        """End the jail and whatever runs in it."""
        self.broken = True
        self._ending()


def _end(holder: int, control: socket.socket, process: subprocess.Popen[bytes], outside: str | None) -> None:
    if os.getpid() != holder:
        return  # a fork of the holder that ends; the jail is not its own
    control.close()  # the nursery reads the end of its orders, kills and leaves
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()  # its children have asked the kernel to follow it
        process.wait()
    if outside:
        clear(f"{outside}/program")
        shutil.rmtree(outside, ignore_errors=True)
