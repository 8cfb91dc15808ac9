"""Workers that train together: what comes back from them, and how they end."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.errors import ModelError, PipelineError, SettingsError, TrainingError
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.placement.trainer import Work, Worker, run_together


def noted(folder: Path, worker: Worker) -> list[Path]:
    """Each start of a worker leaves a file with its process; how many did, this one included."""
    (folder / f"{worker.rank}-{time.time_ns()}").write_text(str(os.getpid()))
    return sorted(folder.iterdir())


def meet() -> float:
    import torch
    import torch.distributed as dist

    one = torch.ones(())
    dist.all_reduce(one)
    return float(one)


@pytest.fixture
def leftovers(ray_session: ClusterSettings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing stays behind in the places Ray Train writes to; signals and environment are as they were."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    results = Path.home() / "ray_results"
    there, handler = results.exists(), signal.getsignal(signal.SIGINT)
    before = environment()
    yield
    assert list(temporary.iterdir()) == []
    assert results.exists() == there
    assert environment() == before
    assert signal.getsignal(signal.SIGINT) is handler


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def here(**given: Any) -> Work:
    """What a worker sees of its place. Functions inside functions travel by value: workers cannot import a test."""

    def work(worker: Worker) -> None:
        import ray
        import torch

        together = meet()
        worker.say(f"line of worker {worker.rank}")
        worker.report({"loss": 1.5})
        gpus = len(ray.get_runtime_context().get_accelerator_ids().get("GPU", []))
        found = {"rank": worker.rank, "world": worker.world, "together": together, "device": worker.device}
        worker.answer({**found, "gpus": gpus, "threads": torch.get_num_threads(), "cwd": str(Path.cwd()), **given})

    return work


def test_two_workers_meet_and_the_lead_one_answers(ray_session: ClusterSettings, caplog: pytest.LogCaptureFixture, leftovers: None) -> None:
    caplog.set_level(logging.INFO)
    cluster = ray_session.model_copy(update={"gpus_per_worker": 1.0})
    found = run_together(here(extra=[1, None]), 2, cluster)
    assert found == {
        "rank": 0,
        "world": 2,
        "together": 2.0,
        "device": "cpu",
        "gpus": 1,
        "threads": 1,
        "cwd": str(Path.cwd()),
        "extra": [1, None],
    }
    said = [record.message for record in caplog.records if record.name == "ray_pipeline.placement.trainer"]
    assert said == ["line of worker 0"]


def test_an_error_of_the_users_making_comes_back_as_itself_and_is_not_tried_again(
    ray_session: ClusterSettings, tmp_path: Path, leftovers: None
) -> None:
    def work(worker: Worker) -> None:
        noted(tmp_path, worker)
        if worker.rank == 1:
            raise ModelError("layers=9, but the model has 2; set model.layers=2")
        meet()  # the other one waits for it

    with pytest.raises(PipelineError) as caught:
        run_together(work, 2, ray_session.model_copy(update={"max_restarts": 3}))
    assert type(caught.value) is ModelError
    assert str(caught.value) == "layers=9, but the model has 2; set model.layers=2"
    starts = [path.name[0] for path in tmp_path.iterdir()]
    assert starts.count("1") == 1 and starts.count("0") <= 1  # the other one may not have begun


def test_a_killed_worker_is_started_again(ray_session: ClusterSettings, tmp_path: Path, leftovers: None) -> None:
    def work(worker: Worker) -> None:
        starts = noted(tmp_path, worker)
        meet()
        if worker.rank == 1 and len(starts) <= 2:
            os.kill(os.getpid(), signal.SIGKILL)
        meet()
        worker.answer(len(starts))

    assert run_together(work, 2, ray_session) in (3, 4)


def test_a_worker_that_keeps_dying_ends_the_run_with_its_last_words(ray_session: ClusterSettings, tmp_path: Path, leftovers: None) -> None:
    def work(worker: Worker) -> None:
        noted(tmp_path, worker)
        os.write(2, b"CUDA error: the card is on fire\n")
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(TrainingError, match=r"a training worker died, and 1 new starts did not help: .*the card is on fire"):
        run_together(work, 1, ray_session.model_copy(update={"max_restarts": 1}))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_defect_keeps_its_words(ray_session: ClusterSettings) -> None:
    def work(worker: Worker) -> None:
        raise ZeroDivisionError("rows per worker")

    with pytest.raises(TrainingError, match="ZeroDivisionError: rows per worker"):
        run_together(work, 1, ray_session.model_copy(update={"max_restarts": 0}))


class Stopping(BaseException):
    """As a job's SIGTERM handler raises it."""


@pytest.mark.parametrize("request_", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_workers_within_seconds(request_: signal.Signals, ray_session: ClusterSettings, tmp_path: Path, leftovers: None) -> None:
    def work(worker: Worker) -> None:
        noted(tmp_path, worker)
        (tmp_path / "ready").touch()
        time.sleep(600)

    def stop(number: int, frame: object) -> None:
        if not (tmp_path / "ready").exists():
            signal.setitimer(signal.ITIMER_REAL, 0.2)
        else:
            os.kill(os.getpid(), request_)

    def terminate(number: int, frame: object) -> None:
        raise Stopping

    # Ctrl-C's too: a shell starts what runs in its background with that ignored
    handlers = {signal.SIGALRM: stop, signal.SIGTERM: terminate, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt if request_ == signal.SIGINT else Stopping):
            run_together(work, 1, ray_session)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    pid = next(int(path.read_text()) for path in tmp_path.iterdir() if path.name != "ready")
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline, "the worker goes on"
        time.sleep(0.1)
    import ray

    while ray.available_resources().get("CPU") != ray.cluster_resources()["CPU"]:
        assert time.monotonic() < deadline, "what it held is not given back"
        time.sleep(0.1)


def test_fewer_workers_go_on_where_there_is_no_room_for_all(ray_session: ClusterSettings, leftovers: None) -> None:
    cluster = ray_session.model_copy(update={"cpus_per_worker": 1.0})  # of two
    found = run_together(here(), 3, cluster, least=1)
    assert 1 <= found["world"] <= 2 and found["together"] == found["world"]
    with pytest.raises(SettingsError, match="3 workers of 1 CPU each, but there is room for 2"):
        run_together(here(), 3, cluster)


def test_cuda_that_is_not_there_is_named(ray_session: ClusterSettings) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    with pytest.raises(SettingsError, match=r"cluster.device=cuda, but torch sees no CUDA"):
        run_together(here(), 1, ray_session.model_copy(update={"device": "cuda", "gpus_per_worker": 1.0}))
