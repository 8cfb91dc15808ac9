"""Run records: two small files a start, so that failed and killed runs are known too.

`started.json` is written before any work, `ended.json` when the run ends in a way it can tell of. A run that has the
first and not the second was killed, or is still going.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from ray_pipeline.storage import Location


class Stopped(BaseException):
    """The run was asked to stop (SIGTERM)."""


@dataclass
class RunRecord:
    """What one start of a job leaves behind."""

    location: Location
    job: str
    started: float
    artifacts: list[str] = field(default_factory=list)

    def end(self, status: str, error: str | None) -> None:
        seconds = round(time.time() - self.started, 3)
        (self.location / "ended.json").write_json({"status": status, "error": error, "seconds": seconds, "artifacts": self.artifacts})


@contextmanager
def recorded(workspace: Location, job: str, settings: Mapping[str, Any]) -> Iterator[RunRecord]:
    """Record the run inside: finished, failed (with its error) or stopped."""
    now = time.time()
    name = f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{job}-{uuid.uuid4().hex[:6]}"
    record = RunRecord(workspace / "runs" / name, job, now)
    origin = {"host": socket.gethostname(), "pid": os.getpid()}
    (record.location / "started.json").write_json({"job": job, "started": now, **origin, "settings": settings})
    with _stoppable():
        try:
            yield record
        except (KeyboardInterrupt, Stopped) as request:
            record.end("stopped", type(request).__name__)
            raise
        except BaseException as problem:
            record.end("failed", f"{type(problem).__name__}: {problem}")
            raise
        else:
            record.end("finished", None)


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM raises `Stopped` inside, once. Only the main thread may handle signals: elsewhere they stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _stop(signum: int, frame: FrameType | None) -> None:
    signal.signal(signum, signal.SIG_IGN)  # an impatient second one must not break off the writing of the record
    raise Stopped(f"signal {signum}")
