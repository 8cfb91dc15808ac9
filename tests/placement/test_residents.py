"""Objects in processes of their own: called together, replaced where they die or hang, and not for ever."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
import ray

from ray_pipeline.errors import TrainingError
from ray_pipeline.placement.cluster import ClusterSettings, connect
from ray_pipeline.placement.residents import Residents


class Slate:
    """Remembers what it was told, dies when asked to, and stands still as long as it is asked to."""

    def __init__(self) -> None:
        self.moved = time.monotonic()
        self.word = "nothing"

    def process(self) -> int:
        return os.getpid()

    def told(self, word: str) -> None:
        self.word = word

    def twice(self, number: int) -> str:
        return f"{2 * number}, {self.word}"

    def dies_first(self, flag: str) -> str:
        if not os.path.exists(flag):  # noqa: PTH110
            open(flag, "w").close()  # noqa: PTH123
            os.kill(os.getpid(), signal.SIGKILL)
        return self.word

    def stands_first(self, flag: str) -> str:
        if not os.path.exists(flag):  # noqa: PTH110
            open(flag, "w").close()  # noqa: PTH123
            time.sleep(600)
        return self.word

    def works(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.moved = time.monotonic()
            time.sleep(0.05)
        return "done"


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    connect(ClusterSettings(cpus=4))
    yield
    ray.shutdown()


def residents(count: int = 2, hung: float = 60.0, restarts: int = 2) -> tuple[Residents, list[int]]:
    settled: list[int] = []
    found: list[Residents] = []

    def settle(place: int) -> None:
        settled.append(place)
        found[0].one(place, "told", "settled")

    found.append(Residents(Slate, count, {"num_cpus": 0.5}, hung, restarts, settle))
    return found[0], settled


def test_all_are_called_at_once_each_with_its_own() -> None:
    held, settled = residents()
    assert held.all("twice", {0: (1,), 1: (5,)}) == {0: "2, nothing", 1: "10, nothing"}
    assert held.one(0, "process") != held.one(1, "process")
    assert held.one(1, "word") == "nothing" and not settled
    held.close()


def test_one_that_dies_is_replaced_settled_and_asked_again(tmp_path: object) -> None:
    held, settled = residents()
    before = [held.one(place, "process") for place in (0, 1)]
    assert held.all("dies_first", {0: (f"{tmp_path}/flag",)}) == {0: "settled"}
    after = [held.one(place, "process") for place in (0, 1)]
    assert settled == [0] and held.restarted == 1
    assert before[0] != after[0] and before[1] == after[1]
    held.close()


def test_one_that_hangs_is_replaced_and_one_that_works_is_not(tmp_path: object) -> None:
    held, settled = residents(hung=3.0)
    assert held.all("works", {1: (5.0,)}) == {1: "done"} and not settled  # longer than the limit, but it moves
    assert held.all("stands_first", {0: (f"{tmp_path}/still",)}) == {0: "settled"}
    assert settled == [0]
    held.close()


def test_they_are_not_replaced_for_ever(tmp_path: object) -> None:
    held, _ = residents(restarts=0)
    with pytest.raises(TrainingError, match=r"engine 1: its process ended .*; 0 were replaced before, and no more are \(engines.restarts\)"):
        held.all("dies_first", {1: (f"{tmp_path}/other",)})
    held.close()


def test_what_a_call_raises_is_raised_here() -> None:
    held, settled = residents(count=1)
    with pytest.raises(TypeError):
        held.all("twice", {0: (None,)})
    assert not settled
    held.close()
