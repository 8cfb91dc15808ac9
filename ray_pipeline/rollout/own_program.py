"""Code of the user's own (`file.py:name`) in a process of its own, asked in lines of JSON.

It is started before any engine is: a file that cannot be loaded, or a name that stands for something else, is told of at once. A question that it
does not answer in time ends the process; the one who asked starts it anew.

It is the user's code and runs with the user's rights: what a model wrote is not for it to execute; the sandbox is.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from ray_pipeline.errors import SettingsError
from ray_pipeline.rollout import own_process

START_SECONDS: Final = 60.0
PROGRAM: Final = own_process.__file__


class OwnProgram:
    """The running process. `seconds`: what an answer may take."""

    def __init__(self, kind: Literal["reward", "environment"], where: str, seconds: float) -> None:
        file, colon, self.name = where.rpartition(":")
        word = "class" if kind == "environment" else "function"
        if not colon or not file or not self.name.isidentifier():
            raise SettingsError(f"{kind} {where!r}: give the file and the {word}, as file.py:{word}")
        if not Path(file).is_file():
            raise SettingsError(f"{kind} {where!r}: there is no file {Path(file).resolve()}")
        self.kind, self.file, self.seconds, self.where = kind, str(Path(file).resolve()), seconds, where
        self._start()

    def __enter__(self) -> OwnProgram:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def ask(self, question: Any) -> dict[str, Any]:
        """Its answer. `TimeoutError`: there was none in time; `EOFError`, `OSError`: the process has gone. After either it has to be restarted."""
        self._say(json.dumps(question) + "\n")
        return self._heard(self.seconds)

    def restart(self) -> None:
        """A new process, which knows nothing of what was asked before."""
        self.close()
        self._start()

    def close(self) -> None:
        """End the process. Twice does no harm: a restart that fails has ended the old one."""
        self._process.kill()
        self._process.wait()
        while self._ends:
            os.close(self._ends.pop())

    def _start(self) -> None:
        theirs_in, self._asks = os.pipe()
        self._hears, theirs_out = os.pipe()
        command = [sys.executable, "-P", PROGRAM, str(theirs_in), str(theirs_out), self.kind, self.file, self.name]
        self._process = subprocess.Popen(command, pass_fds=[theirs_in, theirs_out], stdin=subprocess.DEVNULL, cwd=Path.cwd())
        self._ends = [self._asks, self._hears]
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest = b""
        try:
            first = self._heard(START_SECONDS)
        except (TimeoutError, EOFError) as problem:
            self.close()
            raise SettingsError(f"{self.kind} {self.where!r}: its file does not load: {problem}") from None
        if "refused" in first:
            self.close()
            raise SettingsError(f"{self.kind} {self.where!r}: {first['refused']}")

    def _say(self, line: str) -> None:
        data = line.encode()
        deadline = time.monotonic() + self.seconds
        os.set_blocking(self._asks, False)
        while data:
            _, ready, _ = select.select([], [self._asks], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"nothing read within {self.seconds:g} s")
            data = data[os.write(self._asks, data[: 1 << 16]) :]

    def _heard(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._hears], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"nothing heard within {seconds:g} s")
            part = os.read(self._hears, 1 << 16)
            if not part:
                raise EOFError("its process ended")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found
