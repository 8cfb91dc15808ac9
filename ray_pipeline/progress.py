"""Progress on long work: one line now and then with the share done, the rates and the time left."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


def duration(seconds: float) -> str:
    """Seconds as people read them: `0:42`, `1:03:20`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@dataclass
class Progress:
    """Counts finished work and logs at most once every `every` seconds (and at the end)."""

    what: str
    total: int
    unit: str
    already: int = 0
    every: float = 5.0
    done: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    logged: float = field(default_factory=time.monotonic)

    def advance(self, steps: int = 1, **counts: int) -> None:
        """`steps` more of the total are done; `counts` (rows=..., tokens=...) become rates."""
        self.done += steps
        for name, value in counts.items():
            self.counts[name] = self.counts.get(name, 0) + value
        now = time.monotonic()
        if now - self.logged >= self.every or self.already + self.done >= self.total:
            self.logged = now
            logger.info("%s", self.line(now))

    def line(self, now: float) -> str:
        elapsed = max(now - self.started, 1e-9)
        finished = self.already + self.done
        left = max(self.total - finished, 0) * elapsed / max(self.done, 1)
        rates = "".join(f"  {value / elapsed:,.0f} {name}/s" for name, value in self.counts.items())
        share = 100 * finished / max(self.total, 1)
        time_left = f"ETA {duration(left)}" if left else f"took {duration(elapsed)}"
        return f"{self.what}: {finished:,} of {self.total:,} {self.unit} ({share:.0f}%){rates}  {time_left}"
