"""Who is let in: a request is counted before it waits, and sent away at once where too much waits already.

A caller who is told to come back in three seconds loses three seconds; one who waits behind a minute of work and then times out loses
the minute, and so does everyone behind. How long to stay away follows from how fast work has been done lately.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ray_pipeline.serving.limits import Limits
from ray_pipeline.serving.request_error import RequestError

_MEMORY_S: Final = 10.0  # how far back the speed is remembered
_LONGEST_S: Final = 60


class Admission:
    """Counts what is in work at one entrance."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self.requests = 0
        self.tokens = 0
        self._done: list[tuple[float, int]] = []  # when, and how many tokens

    @contextmanager
    def request(self) -> Iterator[None]:
        """Holds a place for one request."""
        if self.requests >= self._limits.max_requests:
            raise RequestError("overloaded", f"{self.requests} requests are in work, the most there may be", retry_after=self._stay_away())
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @contextmanager
    def work(self, tokens: int) -> Iterator[None]:
        """Holds the tokens of a request while a model reads them. One that finds nothing waiting is let in whatever its size."""
        if self.tokens and self.tokens + tokens > self._limits.max_waiting_tokens:
            raise RequestError(
                "overloaded", f"{self.tokens:,} tokens are waiting; there is no room for {tokens:,} more", retry_after=self._stay_away()
            )
        self.tokens += tokens
        try:
            yield
            self._done.append((self._clock(), tokens))
        finally:
            self.tokens -= tokens

    def speed(self) -> float:
        """Tokens a second, lately; 0 where nothing was done."""
        now = self._clock()
        self._done = [one for one in self._done if now - one[0] <= _MEMORY_S]
        if not self._done:
            return 0.0
        return sum(tokens for _, tokens in self._done) / max(now - self._done[0][0], 1.0)

    def _stay_away(self) -> int:
        """Seconds until what waits is likely to be done."""
        speed = self.speed()
        return min(_LONGEST_S, max(1, math.ceil(self.tokens / speed))) if speed else 1
