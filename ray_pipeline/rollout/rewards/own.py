"""A reward of the user's own: `file.py:function`, which takes a sample (a dictionary) and gives a number.

It runs in a process of its own, started before any engine is: a file that cannot be loaded, or a function that takes something else, is told of
at once. A sample that it does not answer in time, raises at or answers with no finite number is marked as failed; the process is then started
anew where it hangs or has gone.

It is the user's code and runs with the user's rights: what a model wrote is not for it to execute; the sandbox is.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from ray_pipeline.errors import SettingsError
from ray_pipeline.rollout.rewards import own_process
from ray_pipeline.rollout.rewards.sample import Sample

START_SECONDS: Final = 60.0
PROGRAM: Final = own_process.__file__


class Failed(str):
    """Why a sample has no reward."""


class OwnReward:
    """The running function. `seconds`: what it may take for a sample."""

    def __init__(self, where: str, seconds: float) -> None:
        file, colon, self.name = where.rpartition(":")
        if not colon or not file or not self.name.isidentifier():
            raise SettingsError(f"reward {where!r}: give the file and the function, as file.py:function")
        if not Path(file).is_file():
            raise SettingsError(f"reward {where!r}: there is no file {Path(file).resolve()}")
        self.file, self.seconds, self.where = str(Path(file).resolve()), seconds, where
        self._start()

    def __enter__(self) -> OwnReward:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __call__(self, samples: Sequence[Sample]) -> list[float | Failed]:
        return [self._asked(one) for one in samples]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for end in (self._asks, self._hears):
            os.close(end)

    def _asked(self, sample: Sample) -> float | Failed:
        try:
            self._say(json.dumps(sample.plain()) + "\n")
            answer = self._heard(self.seconds)
        except TimeoutError:
            self._restart()
            return Failed(f"no answer within {self.seconds:g} s")
        except (OSError, EOFError):
            self._restart()
            return Failed("its process ended")
        return float(answer["value"]) if "value" in answer else Failed(answer["failed"])

    def _start(self) -> None:
        theirs_in, self._asks = os.pipe()
        self._hears, theirs_out = os.pipe()
        command = [sys.executable, PROGRAM, str(theirs_in), str(theirs_out), self.file, self.name]
        self._process = subprocess.Popen(command, pass_fds=[theirs_in, theirs_out], stdin=subprocess.DEVNULL, cwd=Path.cwd())
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest = b""
        try:
            first = self._heard(START_SECONDS)
        except (TimeoutError, EOFError) as problem:
            self.close()
            raise SettingsError(f"reward {self.where!r}: its file does not load: {problem}") from None
        if "refused" in first:
            self.close()
            raise SettingsError(f"reward {self.where!r}: {first['refused']}")

    def _restart(self) -> None:
        self.close()
        self._start()

    def _say(self, line: str) -> None:
        data = line.encode()
        deadline = time.monotonic() + self.seconds
        os.set_blocking(self._asks, False)
        while data:
            _, ready, _ = select.select([], [self._asks], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
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
