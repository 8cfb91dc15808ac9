"""One program while it runs: its jail, the talk with it, and at the end what became of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ray_pipeline.sandbox.held import Nursery
from ray_pipeline.sandbox.inside import plain
from ray_pipeline.sandbox.outcome import Ended, Outcome, of_failure, of_report, showable
from ray_pipeline.sandbox.settings import LimitSettings
from ray_pipeline.sandbox.talk import Talk, TooMuchError


class Running:
    """A program from its birth to its end: leaving the `with` ends it, whatever it does."""

    def __init__(self, nursery: Nursery, limits: LimitSettings, order: dict[str, Any], wall: float | None) -> None:
        self._nursery, self._limits, self._order = nursery, limits, order
        self._wall = wall or limits.wall
        self._report: dict[str, Any] = {}
        self.ended: tuple[Ended, str] | None = None  # as this side saw it; None: its process tells

    def __enter__(self) -> Running:
        (self._own, theirs), (self._printed, output) = socket.socketpair(), socket.socketpair()
        try:
            with theirs, output:
                self._nursery.order({**self._order, "wall": self._wall}, theirs.fileno(), output.fileno())
        except BaseException:
            self._leave()
            raise
        self.talk = Talk(self._own, self._printed, self._limits.output_mb << 20, time.monotonic() + self._wall)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        try:
            if isinstance(error, TooMuchError):
                self.ended = "output", str(error)
            elif isinstance(error, plain.MalformedError):
                self.ended = "malformed", str(error)
            if not self.talk.over:
                self._nursery.kill()
            self._report = self._nursery.report()
        finally:
            self._leave()
        return isinstance(error, TooMuchError | plain.MalformedError)

    def _leave(self) -> None:
        """Close both ends; a jail whose report was not heard would give it to the next program, so it is ended."""
        self._own.close()
        self._printed.close()
        if not self._report:
            self._nursery.close()

    def clock(self) -> tuple[int, int | None] | None:
        """Nanoseconds that it has computed so far, and instructions where these are counted, read outside; None where it has ended."""
        return self._nursery.clock()

    def told(self) -> Iterator[dict[str, Any]]:
        """What the program says, message by message."""
        for message in self.talk.heard():
            said = plain.decode(message)
            if not isinstance(said, dict):
                raise plain.MalformedError(f"a message that is {type(said).__name__}")
            yield said

    def answers(self) -> Iterator[Any]:
        """What its function returns, call by call; ends, with `ended` set, at the first that failed."""
        for said in self.told():
            if "value" in said:
                yield said["value"]
            elif "loaded" not in said:
                self.ended = of_failure(said)
                return

    def outcome(self, answers: tuple[Any, ...] = (), exit_code: int | None = None) -> Outcome:
        """What became of it, once it has ended."""
        report = self._report
        late: tuple[Ended, str] = "timeout", f"after {self._wall:g} s by the clock"
        if report["killed"] == "wall" or self.talk.late:  # whichever side saw it first, and whatever it had told before
            self.ended = late
        ended, detail = self.ended or of_report(report, self._limits.cpu)
        printed = bytes(self.talk.printed)
        return Outcome(
            ended, showable(detail), report["seconds"], report["cpu"], report["kilobytes"], self._nursery.held, answers, printed, exit_code
        )
