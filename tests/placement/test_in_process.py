"""Small work stays in the process that asks for it, with the same records, errors and settings; the rest goes to Ray."""

from __future__ import annotations

import logging
import os

import pytest
import torch
from pydantic import ValidationError

from ray_pipeline.errors import DataError, ShardError
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.placement.in_process import pass_stays_here, training_stays_here
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.placement.trainer import Worker, run_together
from tests.placement.test_shards import WORDS, Make, Prepare

ALWAYS = ClusterSettings(in_process="always")


def shards(count: int) -> list[dict[str, int]]:
    return [{"shard": number, "number": 10 * number} for number in range(count)]


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_what_stays_here() -> None:
    small = ClusterSettings()
    assert [pass_stays_here(small, count) for count in (1, 2)] == [True, False]
    assert not training_stays_here(small, 1)
    assert pass_stays_here(ALWAYS, 9)
    assert [training_stays_here(ALWAYS, workers) for workers in (1, 2)] == [True, False]
    never = ClusterSettings(in_process="never")
    holds_a_gpu = ClusterSettings(gpus_per_worker=0.5)
    elsewhere = ClusterSettings(address="auto")
    assert not any(pass_stays_here(one, 1) for one in (never, holds_a_gpu, elsewhere))


def test_a_submitted_job_goes_to_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert not pass_stays_here(ClusterSettings(), 1)
    assert not training_stays_here(ALWAYS, 1)


@pytest.mark.parametrize("changes", [{"address": "auto"}, {"gpus_per_worker": 1.0}])
def test_always_is_refused_where_a_cluster_must_hold_something(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="in_process=always is for this machine's CPUs"):
        ClusterSettings(in_process="always", **changes)  # type: ignore[arg-type]


class Holds:
    """A worker that holds something to be let go."""

    def __init__(self) -> None:
        self.held = True

    def __call__(self, payload: dict[str, object]) -> dict[str, object]:
        if payload["doubled"] == 40:
            raise DataError("two is too many")
        return {"shard": payload["shard"]}

    def close(self) -> None:
        self.held = False


@pytest.mark.parametrize("count", [2, 3])
def test_a_worker_is_closed_at_the_end_and_at_an_error(count: int) -> None:
    """A sandbox's jails must not outlive their pass: a pipeline has many."""
    one = Holds()
    records = run_shards(shards(count), Prepare(), lambda device: one, ALWAYS)
    next(records)
    assert one.held
    if count == 3:
        with pytest.raises(ShardError, match="two is too many"):
            list(records)
    else:
        list(records)
    assert not one.held


def test_records_are_those_of_a_worker() -> None:
    records = list(run_shards(shards(4), Prepare(), Make(), ALWAYS))
    assert [(one["shard"], one["doubled"], one["worked"]) for one in records] == [(number, 20 * number, number + 1) for number in range(4)]
    assert {one["placed"]["pid"] for one in records} == {os.getpid()}


@pytest.mark.parametrize(
    ("prepare", "make", "said", "done"),
    [
        (Prepare("refuse"), Make(), WORDS, 3),
        (Prepare(), Make("refuse to start"), WORDS, 0),
        (Prepare(), Make("divide"), "shard 3: ZeroDivisionError: three is too many", 3),
    ],
)
def test_errors_are_those_of_a_worker_and_what_was_finished_stays(prepare: Prepare, make: Make, said: str, done: int) -> None:
    records = []
    with pytest.raises(ShardError) as caught:
        records.extend(record for record in run_shards(shards(5), prepare, make, ALWAYS))
    assert said in str(caught.value)
    finished = run_shards(shards(5), prepare, make, ALWAYS)
    for _ in range(done):
        next(finished)
    with pytest.raises(ShardError):
        next(finished)


def test_a_training_answers_speaks_and_leaves_the_threads_as_they_were(caplog: pytest.LogCaptureFixture) -> None:
    before = torch.get_num_threads()

    def work(worker: Worker) -> None:
        worker.say(f"rank {worker.rank} of {worker.world} on {worker.device} with {torch.get_num_threads()} threads")
        worker.report({"figure": 1.0})
        worker.answer({"pid": os.getpid()})

    with caplog.at_level(logging.INFO):
        found = run_together(work, 1, ALWAYS.model_copy(update={"threads_per_worker": before + 1}))
    assert found == {"pid": os.getpid()}
    assert f"rank 0 of 1 on cpu with {before + 1} threads" in caplog.text
    assert torch.get_num_threads() == before


def test_what_a_training_refuses_is_raised_as_it_is() -> None:
    def work(worker: Worker) -> None:
        raise DataError(WORDS)

    with pytest.raises(DataError, match="no text"):
        run_together(work, 1, ALWAYS)
