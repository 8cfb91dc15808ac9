"""The shard runner on real actors: every record, every error in the worker's own words, every death bounded."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import ray

from ray_pipeline.errors import DataError, SettingsError, ShardError
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.placement.obituary import cause, obituary
from ray_pipeline.placement.shards import _describe, run_shards

WORDS = "corpus.jsonl:7: no text. (give one)"


@dataclass(frozen=True)
class Prepare:
    """Doubles the number; on shard 3 it may fail or die."""

    fault: str = ""

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        if shard["shard"] == 3 and self.fault == "refuse":
            raise DataError(WORDS)
        if shard["shard"] == 3 and self.fault == "die":
            os._exit(5)
        return {"doubled": 2 * shard["number"]}


@dataclass(frozen=True)
class Make:
    """Makes the worker; `mark` is a file that says the fault has happened once."""

    fault: str = ""
    mark: str = ""
    seconds: float = 0.0

    def __call__(self, device: str) -> Work:
        if self.fault == "refuse to start":
            raise DataError(WORDS)
        if self.fault == "die at the start":
            os._exit(6)
        return Work(self, device)


@dataclass
class Work:
    plan: Make
    device: str
    worked: int = field(default=0)
    made_in: int = field(default_factory=threading.get_native_id)

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        time.sleep(self.plan.seconds)
        if payload["shard"] == 3:
            self._fail()
        self.worked += 1
        in_one_thread = threading.get_native_id() == self.made_in
        found = {"shard": payload["shard"], "doubled": int(payload["doubled"]), "device": self.device, "worked": self.worked}
        return found | {"in_one_thread": in_one_thread}

    def _fail(self) -> None:
        if self.plan.fault == "divide":
            raise ZeroDivisionError("three is too many")
        if self.plan.fault == "die once" and not Path(self.plan.mark).exists():
            Path(self.plan.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.plan.fault == "die":
            print("terminate called: the kernel is out of luck", file=sys.stderr, flush=True)
            os._exit(4)


def all_is_given_back() -> None:
    """The workers end now, also while an error with its traceback is still held."""
    deadline = time.monotonic() + 30
    while ray.available_resources().get("CPU") != 2.0:
        assert time.monotonic() < deadline, f"the actors still hold CPUs: {ray.available_resources()}"
        time.sleep(0.1)


def run(prepare: Prepare, make: Make, cluster: ClusterSettings, shards: int = 6) -> list[dict[str, Any]]:
    return list(run_shards([{"shard": number, "number": 10 * number} for number in range(shards)], prepare, make, cluster))


def test_every_record_arrives_and_four_workers_hold_four_gpus(ray_session: ClusterSettings) -> None:
    cluster = ray_session.model_copy(update={"workers": 4, "gpus_per_worker": 1.0})
    records = run(Prepare(), Make(seconds=0.2), cluster, shards=24)
    assert sorted((record["shard"], record["doubled"]) for record in records) == [(number, 20 * number) for number in range(24)]
    held = {record["placed"]["actor"]: tuple(record["placed"]["gpus"]) for record in records}
    assert len(held) == 4
    assert len({gpu for (gpu,) in held.values()}) == 4
    assert {record["placed"]["device"] for record in records} == {record["device"] for record in records} == {"cpu"}
    assert len({record["placed"]["pid"] for record in records}) == 4
    assert max(record["worked"] for record in records) > 1  # a worker is made once, not once a shard
    assert all(record["in_one_thread"] for record in records)  # two threads that compute have twice OpenMP's threads, which then sleep at every turn


def test_workers_that_hold_every_cpu_do_not_starve_the_preparing(ray_session: ClusterSettings) -> None:
    assert len(run(Prepare(), Make(), ray_session.model_copy(update={"workers": 2, "cpus_per_worker": 1.0}), shards=3)) == 3


def test_no_shards_need_no_ray() -> None:
    assert run(Prepare(), Make(), ClusterSettings(workers=999), shards=0) == []


def test_asking_for_more_than_there_is_is_refused_before_any_work(ray_session: ClusterSettings, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(SettingsError, match="room for 8"):
        run(Prepare(), Make("die once", str(mark)), ray_session.model_copy(update={"workers": 9}))
    assert not mark.exists()


def test_an_error_while_preparing_comes_back_in_its_own_words(ray_session: ClusterSettings) -> None:
    with pytest.raises(ShardError) as caught:
        run(Prepare("refuse"), Make(), ray_session)
    assert str(caught.value) == WORDS


def test_an_error_in_the_work_names_shard_type_and_line_and_ends_the_workers(ray_session: ClusterSettings) -> None:
    with pytest.raises(ShardError, match=r"^shard 3: ZeroDivisionError: three is too many at test_shards.py:\d+ in _fail, called from shards.py:\d+"):
        run(Prepare(), Make("divide"), ray_session)
    all_is_given_back()


def test_an_error_at_the_start_comes_back_in_its_own_words(ray_session: ClusterSettings) -> None:
    with pytest.raises(ShardError) as caught:
        run(Prepare(), Make("refuse to start"), ray_session)
    assert str(caught.value) == WORDS


def test_a_worker_that_dies_once_is_started_again_and_its_shard_done(
    ray_session: ClusterSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "mark"
    records = run(Prepare(), Make("die once", str(mark), seconds=0.1), ray_session)
    assert mark.exists()
    assert sorted(record["shard"] for record in records) == list(range(6))
    assert len({record["placed"]["pid"] for record in records}) == 2
    assert "a worker died (process" in caplog.text
    assert "Traceback" not in capfd.readouterr().err


def test_a_worker_that_always_dies_ends_the_run_with_its_last_words(ray_session: ClusterSettings, capfd: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    with pytest.raises(ShardError) as caught:
        run(Prepare(), Make("die"), ray_session.model_copy(update={"max_restarts": 1}))
    assert time.monotonic() - started < 120
    all_is_given_back()
    said = str(caught.value)
    assert "ActorDiedError" in said
    assert "last words: terminate called: the kernel is out of luck" in said
    assert "\n" not in said
    shown = capfd.readouterr()
    assert "Traceback" not in shown.out + shown.err
    assert "(raylet)" not in shown.out + shown.err


@pytest.mark.parametrize(("prepare", "make"), [(Prepare("die"), Make()), (Prepare(), Make("die at the start"))])
def test_deaths_while_preparing_and_at_the_start_are_bounded_too(ray_session: ClusterSettings, prepare: Prepare, make: Make) -> None:
    started = time.monotonic()
    with pytest.raises(
        ShardError, match="a worker died and starting it again did not help: (WorkerCrashed|ActorDied)Error: .*no record yet of shards"
    ):
        run(prepare, make, ray_session.model_copy(update={"max_restarts": 1}))
    assert time.monotonic() - started < 120
    all_is_given_back()


def test_the_cause_is_the_innermost_error_that_says_anything(ray_session: ClusterSettings) -> None:
    class Wrapped(Exception):
        cause = ValueError("first line\n  the real reason. Some common causes include: (1) everything\nmore")

    outer = RuntimeError("task failed")
    outer.__cause__ = Wrapped("wrapped")
    Wrapped.cause.__cause__ = KeyError()
    Wrapped.cause.__cause__.__cause__ = outer  # a circle ends too
    assert cause(outer) == "ValueError: the real reason."
    assert cause(OSError()) == "OSError: no message"
    assert obituary(OSError("disk"), range(7)).endswith("no record yet of shards 0, 1, 2, 3, 4 and 2 more")


def test_an_error_without_frames_is_described() -> None:
    assert _describe("shard 3", DataError(WORDS)) == WORDS
    assert _describe("shard 3", ValueError("bare")) == "shard 3: ValueError: bare"
