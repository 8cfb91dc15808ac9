"""Where the workers of a training leave word for the driver: an actor, since they may be on other machines.

It stands in a file of its own, without torch, so that its process starts in a fraction of a second. For the same reason it holds the address of
the controller unread: reading it would import all of Ray Train.
"""

from __future__ import annotations

from typing import Any

STOPPED = "the driver was stopped"


class Board:
    """Lines, the answer, what was refused, and who controls the workers."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._answer: Any = None
        self._refusal: tuple[str, str] | None = None
        self._controller: bytes | None = None

    def say(self, line: str) -> None:
        self._lines.append(line)

    def read(self) -> list[str]:
        """The lines since the last time."""
        lines, self._lines = self._lines, []
        return lines

    def answer(self, value: Any) -> None:
        self._answer = value

    def answered(self) -> Any:
        return self._answer

    def refuse(self, kind: str, text: str) -> None:
        """No further start makes sense. The first word counts."""
        self._refusal = self._refusal or (kind, text)

    def refused(self) -> tuple[str, str] | None:
        return self._refusal

    def introduce(self, controller: bytes) -> None:
        self._controller = controller

    def stop(self) -> bytes | None:
        """Workers that start from now on end at once; the controller of those that run, if there is one yet."""
        self.refuse("Stopped", STOPPED)
        return self._controller
