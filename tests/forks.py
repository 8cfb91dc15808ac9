"""Processes of a test, forked from one that has already imported what they need.

A fresh Python imports torch and transformers for ten seconds before it does anything that a test asks about. So one process a session imports,
starts no thread of its own and runs nothing; each process of a test is a fork of it that runs a module or a file as `__main__`, with its own
words, environment, output, signals and exit code. That `python -m jobs.<name>` itself starts is for tests/jobs/test_command_line.py and
test_submit.py to see.

This file is also that process's program: `python forks.py SOCKET`; it ends when its stdin does.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final

ROOT = Path(__file__).parents[1]
_LARGEST: Final = 1 << 20  # of a request, in bytes


class Forked:
    """What tests use of subprocess.Popen. `program`: a module's name or a file's path; `ahead`: modules that are imported before the fork."""

    def __init__(
        self, program: str, words: Sequence[str], environment: dict[str, str], stdout: IO[Any], stderr: IO[Any], ahead: Sequence[str] = ()
    ) -> None:
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._told.connect(_listening())
        self.returncode: int | None = None
        request = {"program": program, "words": list(words), "environment": environment, "ahead": list(ahead)}
        socket.send_fds(self._told, [json.dumps(request).encode()], [stdout.fileno(), stderr.fileno()])
        self.pid = int(self._heard())

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = int(self._heard())
        self._told.close()

    def _heard(self) -> str:
        heard = self._told.recv(64).decode()
        assert heard, "the process that forks is gone; what it said stands on stderr"
        return heard


@functools.cache
def _listening() -> str:
    """Where the process that forks listens; it is started when first asked for."""
    folder = tempfile.mkdtemp(prefix="forks-")
    where = str(Path(folder) / "socket")
    process = subprocess.Popen([sys.executable, __file__, where], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == b"listening\n"
    process.stdout.close()
    atexit.register(_close, process, folder)
    return where


def _close(process: subprocess.Popen[bytes], folder: str) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(10)
    Path(folder, "socket").unlink()
    Path(folder).rmdir()


# ---- the process that forks


def _serve(where: str) -> dict[str, Any]:
    """Fork for whoever asks; returns in the forked processes alone, with what each is asked to run."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(where)
    listening.listen()
    print("listening", flush=True)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # of those that wait for the forked ones, nobody waits
    while True:
        if 0 in select.select([listening, 0], [], [])[0]:
            os._exit(0)
        asker, _ = listening.accept()
        content, files, _, _ = socket.recv_fds(asker, _LARGEST, 2)
        request: dict[str, Any] = json.loads(content)
        for name in request["ahead"]:
            importlib.import_module(name)
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if _is_forked(asker):
                for place, file in enumerate((nowhere, *files)):
                    os.dup2(file, place)
                for file in (nowhere, *files):
                    os.close(file)
                return request
        asker.close()
        for file in files:
            os.close(file)


def _is_forked(asker: socket.socket) -> bool:
    """Fork once more: True in the process that is asked for; the other tells its end and goes."""
    pid = os.fork()
    if pid == 0:
        asker.close()
        return True
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    asker.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
        asker.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(request: dict[str, Any]) -> None:
    program: str = request["program"]
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [program, *request["words"]]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        sys.modules.pop(program, None)  # imported ahead, and now to be run
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    _run(_serve(sys.argv[1]))
