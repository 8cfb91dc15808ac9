"""Draws that are made while the policy still learns from earlier ones.

They are made one after the other, in their order, by a thread. How far ahead is bounded: draw `j` begins with weights that have learned from draw
`j - ahead - 1`, or with newer ones. So `ahead=0` is synchronous (and needs no thread), `ahead=1` draws the next while this one is learned from, and
more lets an engine go on while weights are late, at the price of rollouts that an older policy drew.

New weights wait until what is being drawn is done (`in_flight=finish`), or it is given up and drawn anew with them (`drop`). They are handed over
by the thread that trains, for they are compared with the policy as it stands; where nobody waits for them, that is left for the next step.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from ray_pipeline.rollout.writer import LetGo

Ask = TypeVar("Ask")
Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Failed:
    """A draw that raised."""

    error: BaseException


class Ahead(Generic[Ask, Asked]):
    """`asks`: what is to be drawn, in order; `draw` draws it; `most`: how many draws are learned from in all, `learned`: from how many by now."""

    def __init__(
        self, asks: Iterator[Ask], draw: Callable[[Ask], Asked], let_go: Callable[[], None], most: int, learned: int, ahead: int, drops: bool
    ) -> None:
        self._asks, self._draw, self._let_go, self._most, self._ahead, self._drops = asks, draw, let_go, most, ahead, drops
        self._learned, self._version = learned, learned
        self._done: deque[Asked | Failed] = deque()
        self._state = threading.Condition()
        self._learning = self._busy = self._closed = False
        self._wanted = False  # new weights are waiting for the draw to end
        self._thread = threading.Thread(target=self._run, name="draws", daemon=True) if ahead else None
        if self._thread is not None:
            self._thread.start()

    def __enter__(self) -> Ahead[Ask, Asked]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give up what is being drawn."""
        with self._state:
            self._closed = True
            busy = self._busy
            self._state.notify_all()
        if busy:
            self._let_go()
        if self._thread is not None:
            self._thread.join()

    def next(self) -> Asked:
        """The next draw, waited for."""
        if self._thread is None:
            return self._draw(next(self._asks))
        with self._state:
            self._learning = False  # asked again without a step: the last draw taught nothing
            self._state.notify_all()
            self._state.wait_for(lambda: self._done)
            found = self._done.popleft()
            self._learning = True
        if isinstance(found, Failed):
            raise found.error
        return found

    def stepped(self, learned: int, hand_over: Callable[[], None], others: Callable[[bool], bool]) -> None:
        """From so many draws was learned. Weights are handed over now, unless something is being drawn and nobody waits for them. `others`: whether
        any rank says yes, so that all hand over together."""
        with self._state:
            self._learned, self._learning = learned, False
            waits = self._ahead == 0 or self._upcoming() - self._version > self._ahead
            self._state.notify_all()
        busy = self._thread is not None and self._busy
        if self._ahead > 1 and not others(waits) and others(busy):
            return
        self._quiet()
        try:
            hand_over()
        finally:
            with self._state:
                self._version, self._wanted = learned, False
                self._state.notify_all()

    def _quiet(self) -> None:
        """Wait until nothing is being drawn; nothing else is begun until weights were handed over."""
        with self._state:
            self._wanted = True
            busy = self._busy
        if busy and self._drops:
            self._let_go()
        with self._state:
            self._state.wait_for(lambda: not self._busy)

    def _upcoming(self) -> int:
        """Which draw is the next to be begun, if every one teaches."""
        return self._learned + self._learning + len(self._done) + self._busy

    def _may_begin(self) -> bool:
        number = self._upcoming()
        return not self._wanted and number < self._most and number - self._version <= self._ahead

    def _run(self) -> None:
        again: Ask | None = None
        while True:
            with self._state:
                self._state.wait_for(lambda: self._closed or self._may_begin())
                if self._closed:
                    return
                self._busy = True
            ask, again = next(self._asks) if again is None else again, None
            found: Asked | Failed | None = None
            try:
                found = self._draw(ask)
            except LetGo:
                again = ask
            except BaseException as error:  # raised where it is waited for
                found = Failed(error)
            with self._state:
                self._busy = False
                if found is not None:
                    self._done.append(found)
                self._state.notify_all()
                if isinstance(found, Failed):
                    return
