"""How much of a cluster a stage may take, and what starting Ray leaves as it was."""

from __future__ import annotations

import signal
import sys

import pytest
import ray
from pydantic import ValidationError
from ray._private.node import Node

from ray_pipeline.config import parse
from ray_pipeline.errors import SettingsError
from ray_pipeline.placement import cluster
from ray_pipeline.placement.cluster import ClusterSettings, connect, preparing_cpus
from ray_pipeline.placement.few_processes import few_processes


def test_cuda_needs_a_gpu_of_its_own() -> None:
    with pytest.raises(SettingsError, match="cluster|device=cuda needs gpus_per_worker"):
        parse(ClusterSettings, {"device": "cuda"})
    assert ClusterSettings(device="cuda", gpus_per_worker=1).torch_device() == "cuda"


@pytest.mark.parametrize(("given", "named"), [({"cpus": 4}, "cpus"), ({"logical_gpus": 8}, "logical_gpus")])
def test_the_embedded_rays_size_is_refused_for_a_cluster_that_has_its_own(given: dict[str, int], named: str) -> None:
    with pytest.raises(ValidationError, match=f"{named} size the embedded Ray"):
        ClusterSettings(address="10.0.0.1:6379", **given)


def test_threads_are_the_cores_shared_by_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.os, "sched_getaffinity", lambda _: set(range(12)))
    assert [ClusterSettings(workers=count).threads() for count in (1, 2, 5, 100)] == [12, 6, 2, 1]
    assert ClusterSettings(workers=2, threads_per_worker=3).threads() == 3


def test_a_worker_holds_no_gpu_computes_on_the_cpu() -> None:
    assert ClusterSettings(workers=1).torch_device() == "cpu"


@pytest.mark.parametrize(
    ("nodes", "workers", "places"),
    [
        ([{"CPU": 4.0}], 4, 4),
        ([{"CPU": 3.0}, {"CPU": 3.0}], 4, 6),
        ([{"CPU": 0.5}, {"CPU": 0.5}], 1, 0),  # one CPU in all, but on no node: Ray would wait for ever
        ([{"CPU": 8.0, "GPU": 1.0}], 2, 8),
    ],
)
def test_room_is_counted_on_nodes(nodes: list[dict[str, float]], workers: int, places: int) -> None:
    assert sum(cluster._places(node, {"CPU": 1.0, "GPU": 0.0}, 99) for node in nodes) == places


def test_both_kinds_must_fit_on_one_node() -> None:
    needs = {"CPU": 2.0, "GPU": 0.5}
    assert [cluster._places(node, needs, 99) for node in ({"CPU": 9.0, "GPU": 1.0}, {"CPU": 3.0, "GPU": 8.0}, {"CPU": 64.0})] == [2, 1, 0]


def test_tenths_of_a_cpu_add_up() -> None:
    assert cluster._places({"CPU": 0.3}, {"CPU": 0.1, "GPU": 0.0}, 99) == 3  # 0.3 / 0.1 is 2.9999999999999996


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"workers": 3, "cpus_per_worker": 1.0}, "3 workers of 1 CPU each, but there is room for 2"),
        ({"workers": 9, "cpus_per_worker": 0.1, "gpus_per_worker": 1.0}, "9 workers of 0.1 CPU and 1 GPU each, but there is room for 8"),
        ({"workers": 1, "cpus_per_worker": 2.5}, "lower cluster.workers, cluster.cpus_per_worker"),
    ],
)
def test_asking_for_more_than_there_is_is_refused_also_on_a_running_ray(ray_session: ClusterSettings, asked: dict[str, float], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        connect(ClusterSettings(**asked))
    connect(ClusterSettings(wait_for_nodes=True, **asked))


def test_workers_that_hold_every_cpu_leave_none_to_prepare_with(ray_session: ClusterSettings) -> None:
    assert preparing_cpus(ClusterSettings(workers=2, cpus_per_worker=1.0)) == 0.0
    assert preparing_cpus(ClusterSettings(workers=1, cpus_per_worker=1.5)) == 0.5


def test_a_stop_signal_handler_set_before_ray_stays() -> None:
    def ours(signum: int, frame: object) -> None: ...

    def rays(signum: int, frame: object) -> None: ...

    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, ours)
        with cluster._own_stop_signal():
            signal.signal(signal.SIGTERM, rays)
        assert signal.getsignal(signal.SIGTERM) is ours
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with cluster._own_stop_signal():
            signal.signal(signal.SIGTERM, rays)
        assert signal.getsignal(signal.SIGTERM) is rays
    finally:
        signal.signal(signal.SIGTERM, before)


def test_errors_while_rays_native_lines_are_kept_off_the_screen_are_raised(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="ours"), cluster._native_stderr_closed():
        sys.stderr.flush()
        cluster.os.write(2, b"native noise\n")
        raise RuntimeError("ours")
    cluster.os.write(2, b"shown again\n")
    assert capfd.readouterr().err == "shown again\n"


def test_an_embedded_ray_is_two_processes_and_its_workers(ray_session: ClusterSettings) -> None:
    assert set(ray._private.worker._global_node.all_processes) == {"gcs_server", "raylet"}


def test_what_carries_workers_stderr_starts_where_it_is_heard_and_other_clusters_start_whole() -> None:
    starters = ("start_monitor", "start_api_server", "start_log_monitor")
    usual = [getattr(Node, name) for name in starters]
    with pytest.raises(RuntimeError, match="ours"), few_processes(hear_workers=True):
        assert [getattr(Node, name) is was for name, was in zip(starters, usual, strict=True)] == [False, False, True]
        raise RuntimeError("ours")
    assert [getattr(Node, name) for name in starters] == usual
