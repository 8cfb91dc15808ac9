"""Trials of Tune over trainings of Train, on two CPUs: as many at a time as fit, stopped ones leave nothing behind, and what a
trial or its bookkeeper refuses arrives."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ray.util import placement_group_table

from ray_pipeline.errors import SettingsError
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.placement.trainer import Worker, run_together
from ray_pipeline.placement.tuner import Asha, Begun, How, Objective, Row, _asha, room, run_trials
from tests.processes import parent_of, title

PATIENCE = 240.0
HELD_FOR_EVER = 600.0


@dataclass(frozen=True)
class Counting:
    """A training whose figure after epoch e is `slope * e`; one that lags would go on for ten minutes after epoch 2."""

    slope: float
    lags: bool
    folder: Path

    def __call__(self, worker: Worker) -> None:
        (self.folder / f"{os.getpid()}.pid").write_text(str(self.slope))
        for epoch in (1.0, 2.0, 3.0):
            worker.report({"step": 10 * epoch, "epoch": epoch, "figure": self.slope * epoch})
            if self.lags and epoch == 2.0:
                time.sleep(HELD_FOR_EVER)
        worker.answer({"slope": self.slope})


@dataclass(frozen=True)
class Body:
    cluster: ClusterSettings
    folder: Path

    def __call__(self, number: int, values: Mapping[str, Any]) -> Any:
        return run_together(Counting(values["slope"], values["lags"], self.folder), 1, self.cluster)


@dataclass
class Book:
    """Remembers what it is told."""

    begun: Iterator[Begun]
    earlier: Mapping[int, Sequence[Row]] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)
    most: int = 0
    rows: dict[int, list[Row]] = field(default_factory=dict)
    ends: dict[int, tuple[How, Any]] = field(default_factory=dict)

    def known(self) -> Mapping[int, Sequence[Row]]:
        return self.earlier

    def begin(self) -> Begun | None:
        coming = next(self.begun, None)
        if coming is not None:
            self.running.add(coming.number)
            self.most = max(self.most, len(self.running))
        return coming

    def evaluated(self, number: int, row: Row) -> None:
        self.rows.setdefault(number, []).append(row)

    def ended(self, number: int, how: How, answer: Any) -> None:
        self.running.discard(number)
        self.ends[number] = (how, answer)


def alive(folder: Path) -> set[int]:
    return {int(path.stem) for path in folder.glob("*.pid") if Path(f"/proc/{path.stem}").exists()}


def reserved() -> list[str]:
    """The placement groups that still hold something."""
    return [name for name, group in placement_group_table().items() if group["state"] != "REMOVED"]


def cleaners() -> list[int]:
    """Processes of this Ray that wait for the end of a training."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if "Cleaner" in title(pid) and parent_of(parent_of(pid)) == os.getpid()]


def row(epoch: float, figure: float) -> Row:
    return {"step": 10 * epoch, "epoch": epoch, "figure": figure}


def test_three_trials_on_two_cpus_run_two_at_a_time_and_those_that_asha_stops_give_their_cpu_back(
    tmp_path: Path, ray_session: ClusterSettings
) -> None:
    # each worker holds a CPU and a (logical) GPU: a trial's own tasks see neither, and must not wait for them
    cluster = ray_session.model_copy(update={"cpus_per_worker": 1.0, "gpus_per_worker": 1.0})
    slopes = [1.5, 1.0, 4.0]  # the first two would hold both CPUs for ten minutes: only where one is stopped can the third begin
    known = {9: [row(1.0, 3.5), row(2.0, 5.0)]}  # an earlier run's: what is below 5 at epoch 2 is behind it
    earlier = (row(1.0, 4.0),)
    trials = [Begun(number, {"slope": slope, "lags": slope < 2.5}, earlier if number == 2 else ()) for number, slope in enumerate(slopes)]
    book = Book(iter(trials), known)
    started = time.monotonic()
    run_trials(book, Body(cluster, tmp_path), 3, 1, cluster, Objective("figure", True), Asha(grace=2.0, reduction=2.0))
    assert time.monotonic() - started < PATIENCE
    assert book.ends == {0: ("stopped", None), 1: ("stopped", None), 2: ("answered", {"slope": 4.0})}
    assert book.most == 2
    assert book.rows[2] == [row(1.0, 4.0), row(1.0, 4.0), row(2.0, 8.0), row(3.0, 12.0)]  # what was known of it first
    assert book.rows[1] == [row(1.0, 1.0), row(2.0, 2.0)]  # also the one it was stopped at
    deadline = time.monotonic() + 20
    while alive(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(list(tmp_path.glob("*.pid"))) == 3
    assert not alive(tmp_path)  # no training goes on behind a trial that was stopped
    while (reserved() or cleaners()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert reserved() == []
    assert cleaners() == []


def test_what_the_bookkeeper_refuses_ends_all_and_is_raised(tmp_path: Path, ray_session: ClusterSettings) -> None:
    class Refusing(Book):
        def evaluated(self, number: int, row: Row) -> None:
            raise SettingsError(f"no such figure; there are {', '.join(sorted(row))}")

    cluster = ray_session.model_copy(update={"cpus_per_worker": 2.0})
    book = Refusing(iter([Begun(number, {}, (row(1.0, 1.0),)) for number in range(50)]))
    with pytest.raises(SettingsError, match="no such figure; there are epoch, figure, step"):
        run_trials(book, _never, 50, 1, cluster, Objective("figure", True), None)
    assert book.most == 1
    assert len(book.ends) == 0


def test_a_stop_signal_arrives_as_its_handler_raised_it(ray_session: ClusterSettings) -> None:
    class Asked(BaseException):
        pass

    def stop(signum: int, frame: object) -> None:
        import traceback

        traceback.print_stack(frame)  # type: ignore
        raise Asked

    class Signalling(Book):
        def begin(self) -> Begun | None:
            threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGUSR2)).start()
            return super().begin()

    before = signal.signal(signal.SIGUSR2, stop)
    try:
        with pytest.raises(Asked):
            run_trials(Signalling(iter([Begun(0, {})])), _never, 1, 1, ray_session, Objective("figure", True), None)
    finally:
        signal.signal(signal.SIGUSR2, before)


def _never(number: int, values: Mapping[str, Any]) -> Any:
    time.sleep(HELD_FOR_EVER)


def test_the_room_is_what_the_nodes_hold_together_for_whole_trainings(ray_session: ClusterSettings) -> None:
    def fits(workers: int, cpus: float, gpus: float = 0.0, most: int = 100) -> int:
        return room(workers, ray_session.model_copy(update={"cpus_per_worker": cpus, "gpus_per_worker": gpus}), most)

    assert fits(1, 1.0) == 2  # 2 CPUs
    assert fits(2, 1.0) == 1
    assert fits(1, 0.25) == 8
    assert fits(1, 0.25, 3.0) == 2  # 8 GPUs
    assert fits(1, 0.0, 0.5) == 16
    assert fits(3, 1.0) == 1  # never none: nodes may join
    assert fits(2, 0.0, most=5) == 5  # needs nothing


def test_asha_by_hand() -> None:
    """Rungs at 1, 2, 4, ...; the cut is the median of what came to a rung before."""
    scheduler = _asha(Asha(unit="epoch", grace=1.0, reduction=2.0), Objective("loss", False), {0: [row_of(1.0, 0.5)], 1: [row_of(1.0, 0.3)]})

    class Trial:
        def __init__(self, name: str) -> None:
            self.trial_id = name
            scheduler.on_trial_add(None, self)

        def at(self, epoch: float, loss: float) -> str:
            return str(scheduler.on_trial_result(None, self, row_of(epoch, loss)))

    first, second = Trial("a"), Trial("b")
    assert first.at(0.0, 9.0) == "CONTINUE"  # before the first rung
    assert first.at(1.0, 0.41) == "STOP"  # the median of 0.5 and 0.3 is 0.4
    assert second.at(1.0, 0.39) == "CONTINUE"  # now of 0.5, 0.3 and 0.41 it is 0.41
    assert second.at(1e9, 9.0) == "CONTINUE"  # however long a training is, its length alone stops none


def row_of(epoch: float, loss: float) -> Row:
    return {"epoch": epoch, "step": 10 * epoch, "loss": loss}
