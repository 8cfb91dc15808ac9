"""Draws ahead of time: their order, the age of their weights, what happens to one in flight, and errors on their way to who waits."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from ray_pipeline.rollout.writer import LetGo
from ray_pipeline.tasks.grpo.ahead import Ahead


class Slow:
    """Draws numbers; each waits until it is told to end, or to let go."""

    def __init__(self) -> None:
        self.version = 0
        self.began: list[tuple[int, int]] = []  # number and version
        self.may_end = threading.Semaphore(0)
        self._dropped = threading.Event()

    def draw(self, number: int) -> tuple[int, int]:
        version = self.version
        self.began.append((number, version))
        while not self.may_end.acquire(timeout=0.002):
            if self._dropped.is_set():
                self._dropped.clear()
                raise LetGo
        return number, version

    def let_go(self) -> None:
        self._dropped.set()


def ahead(slow: Slow, most: int, ahead: int, drops: bool = False) -> Ahead[int, tuple[int, int]]:
    return Ahead(itertools.count(), slow.draw, slow.let_go, most, 0, ahead, drops)


def until(what: object) -> None:
    assert callable(what)
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.002)


def hand(slow: Slow, version: int) -> None:
    slow.version = version


def alone(found: bool) -> bool:
    return found


def test_nothing_is_drawn_ahead_where_nothing_may_be() -> None:
    slow = Slow()
    slow.may_end.release(2)
    with ahead(slow, 2, 0) as found:
        assert found.next() == (0, 0)
        found.stepped(1, lambda: hand(slow, 1), alone)
        assert slow.began == [(0, 0)]
        assert found.next() == (1, 1)


@pytest.mark.parametrize("bound", [1, 2, 3])
def test_none_begins_with_weights_older_than_the_bound(bound: int) -> None:
    slow = Slow()
    slow.may_end.release(100)
    with ahead(slow, 12, bound) as found:
        for step in range(12):
            number, version = found.next()
            assert number == step
            assert step - version <= bound
            found.stepped(step + 1, lambda made=step + 1: hand(slow, made), alone)
    assert [number for number, _ in slow.began] == list(range(12))  # none too many, none twice


def test_one_is_drawn_while_another_is_learned_from() -> None:
    slow = Slow()
    with ahead(slow, 3, 1) as found:
        slow.may_end.release()
        assert found.next() == (0, 0)
        until(lambda: slow.began == [(0, 0), (1, 0)])  # and not the third: its weights would be too old
        slow.may_end.release(2)
        found.stepped(1, lambda: hand(slow, 1), alone)
        assert found.next() == (1, 0)
        assert found.next() == (2, 1)


def test_new_weights_wait_for_what_is_in_flight() -> None:
    slow, handed = Slow(), []
    with ahead(slow, 3, 1) as found:
        slow.may_end.release()
        found.next()
        until(lambda: len(slow.began) == 2)
        waiter = threading.Thread(target=lambda: found.stepped(1, lambda: handed.append(len(found._done)), alone))
        waiter.start()
        waiter.join(0.1)
        assert waiter.is_alive() and not handed
        slow.may_end.release()
        waiter.join(10)
        assert handed == [1]  # it was done by then
        slow.may_end.release()


def test_or_it_is_dropped_and_drawn_anew_with_them() -> None:
    slow = Slow()
    with ahead(slow, 3, 1, drops=True) as found:
        slow.may_end.release()
        assert found.next() == (0, 0)
        until(lambda: len(slow.began) == 2)
        found.stepped(1, lambda: hand(slow, 1), alone)
        slow.may_end.release(2)
        assert found.next() == (1, 1)
        assert slow.began[:3] == [(0, 0), (1, 0), (1, 1)]


def test_weights_are_left_for_later_where_nobody_waits_for_them() -> None:
    slow, handed = Slow(), []
    with ahead(slow, 9, 3) as found:
        slow.may_end.release()
        found.next()
        until(lambda: len(slow.began) == 2)  # one is being drawn, and the next may still begin
        found.stepped(1, lambda: handed.append(1), alone)
        assert handed == []
        slow.may_end.release()
        found.next()
        until(lambda: len(slow.began) == 3)
        slow.may_end.release()
        found.stepped(2, lambda: handed.append(2), lambda asked: True)  # on another rank somebody waits
        assert handed == [2]
        slow.may_end.release(9)


def test_what_a_draw_raises_is_raised_where_it_is_waited_for() -> None:
    def broken(number: int) -> int:
        raise ValueError(f"draw {number}")

    with Ahead(itertools.count(), broken, lambda: None, 3, 0, 1, False) as found, pytest.raises(ValueError, match="draw 0"):
        found.next()


def test_closing_gives_up_what_is_drawn() -> None:
    slow = Slow()
    found = ahead(slow, 3, 1)
    until(lambda: slow.began)
    found.close()
    assert all(thread.name != "draws" for thread in threading.enumerate())
