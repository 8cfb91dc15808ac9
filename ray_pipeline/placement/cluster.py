"""Joining or starting a Ray cluster, and how much of it a stage may take.

Locally Ray runs embedded in this process's machine; with `address=auto` (set by `ray job submit`) or a given address the
job joins what is there. GPUs may be *logical*: `logical_gpus=8` on a machine without any lets eight workers hold one
each while they compute on the CPU, so placement can be tried, and tested, anywhere.

Trap: `ray.init` puts its own SIGTERM handler in place of the process's, which exits with code 1 and tells nobody.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

import ray
from pydantic import model_validator

from ray_pipeline.config import Settings, placement
from ray_pipeline.errors import SettingsError
from ray_pipeline.placement.few_processes import few_processes

logger = logging.getLogger(__name__)

_KNOCK_S: Final = 10.0  # how long an address may take to answer at all
_PREPARING_CPUS: Final = 0.5  # what a task that prepares a shard holds, where the workers leave so much


class ClusterSettings(Settings):
    """Where work runs; nothing here changes a result."""

    address: str | None = placement(None, "Ray address (`auto`: the cluster this machine belongs to); null: RAY_ADDRESS, else embedded")
    workers: int = placement(1, "model workers: each holds a copy of the model", ge=1)
    cpus_per_worker: float = placement(1.0, "logical CPUs a model worker holds", ge=0)
    gpus_per_worker: float = placement(0.0, "GPUs a model worker holds", ge=0)
    threads_per_worker: int | None = placement(None, "torch threads a worker; null: the machine's cores shared by the workers", ge=1)
    device: Literal["auto", "cpu", "cuda"] = placement("auto", "auto: cuda where the worker holds a GPU and torch sees one")
    cpus: int | None = placement(None, "logical CPUs of the embedded Ray; null: this machine's cores", ge=1)
    logical_gpus: int | None = placement(None, "logical GPUs of the embedded Ray; null: this machine's", ge=0)
    object_store_mb: int = placement(512, "object store of the embedded Ray, in MB", ge=80)
    max_restarts: int = placement(3, "how often a dead worker is started again", ge=0)
    in_process: Literal["small", "always", "never"] = placement(
        "small", "without a cluster, in this process: small: a pass of one shard; always: every pass, and a training of one worker; never: nothing"
    )
    wait_for_nodes: bool = placement(False, "nodes may still join (an autoscaler): wait for room instead of refusing to start")

    @model_validator(mode="after")
    def _makes_sense(self) -> ClusterSettings:
        if self.device == "cuda" and not self.gpus_per_worker:
            raise ValueError("device=cuda needs gpus_per_worker > 0, or Ray will hand every worker the same GPU")
        embedded = [name for name in ("cpus", "logical_gpus") if getattr(self, name) is not None]
        if self.address is not None and embedded:
            raise ValueError(f"{' and '.join(embedded)} size the embedded Ray; the cluster at address={self.address} has its own")
        if self.in_process == "always" and (self.address is not None or self.gpus_per_worker):
            raise ValueError("in_process=always is for this machine's CPUs; address and gpus_per_worker need a cluster to hold them")
        return self

    def threads(self) -> int:
        """Torch threads for one worker (asked inside the worker: the machine is its)."""
        return self.threads_per_worker or max(1, len(os.sched_getaffinity(0)) // self.workers)

    def torch_device(self) -> str:
        """The device a worker computes on (asked inside the worker)."""
        if self.device != "auto":
            return self.device
        import torch  # asked in workers that compute; the driver never needs it

        return "cuda" if self.gpus_per_worker and torch.cuda.is_available() else "cpu"


def connect(settings: ClusterSettings, *, hear_workers: bool = False) -> None:
    """Start or join Ray once (a second call finds it running), and refuse what it has no room for. `hear_workers`: what they write on
    stderr comes to ours."""
    if not ray.is_initialized():
        _start(settings, hear_workers)
    _check_room(settings)


def is_embedded(settings: ClusterSettings) -> bool:
    """Whether Ray is this machine's alone, started for this process."""
    return not (settings.address or os.environ.get("RAY_ADDRESS"))


def preparing_cpus(settings: ClusterSettings) -> float:
    """Logical CPUs for a task that prepares a shard: none where the workers hold them all, or it would wait for ever."""
    held = settings.workers * settings.cpus_per_worker
    return _PREPARING_CPUS if ray.cluster_resources().get("CPU", 0.0) - held >= _PREPARING_CPUS else 0.0


def _start(settings: ClusterSettings, hear_workers: bool) -> None:
    # an embedded Ray makes itself a token and says so at every start
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
    address = settings.address or os.environ.get("RAY_ADDRESS")
    started = time.monotonic()
    with _own_stop_signal(), _native_stderr_closed():
        if address:
            _join(address, hear_workers)
        else:
            _start_embedded(settings, hear_workers)
    resources = ray.cluster_resources()
    logger.info(
        "Ray %s: %g CPUs, %g GPUs, %d node(s), ready in %.1f s",
        f"at {address}" if address else "embedded",
        resources.get("CPU", 0),
        resources.get("GPU", 0),
        len(ray.nodes()),
        time.monotonic() - started,
    )


def _join(address: str, hear_workers: bool) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if port.isdigit():  # Ray itself asks a dead address again for minutes
            socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
        ray.init(address=address, log_to_driver=hear_workers, logging_level=logging.WARNING)
    except (OSError, RuntimeError, ValueError) as problem:
        cause = next((line for line in str(problem).splitlines() if line.strip()), type(problem).__name__)
        raise SettingsError(f"cluster.address (or RAY_ADDRESS) {address!r}: no Ray cluster answers there: {cause}") from problem


def _start_embedded(settings: ClusterSettings, hear_workers: bool) -> None:
    with few_processes(hear_workers):
        ray.init(
            address="local",
            num_cpus=settings.cpus,
            num_gpus=settings.logical_gpus,
            object_store_memory=settings.object_store_mb << 20,
            include_dashboard=False,
            log_to_driver=hear_workers,
            logging_level=logging.WARNING,
        )


@contextmanager
def _own_stop_signal() -> Iterator[None]:
    """Leave a SIGTERM handler that was set before Ray came in force; where there was none, Ray's stays."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if callable(before):
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _native_stderr_closed() -> Iterator[None]:
    """Keep Ray's native start-up lines off the screen; Python errors are raised as ever."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _check_room(settings: ClusterSettings) -> None:
    """Refuse what could only wait for ever. A worker lives on one node, so it is nodes that must have room, not their sum."""
    needs = {"CPU": settings.cpus_per_worker, "GPU": settings.gpus_per_worker}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    places = sum(_places(node, needs, settings.workers) for node in nodes)
    if places >= settings.workers or settings.wait_for_nodes:
        return
    asked = " and ".join(f"{each:g} {kind}" for kind, each in needs.items() if each)
    there = "; ".join(", ".join(f"{node.get(kind, 0):g} {kind}" for kind in needs) for node in nodes[:4])
    raise SettingsError(
        f"cluster: {settings.workers} workers of {asked} each, but there is room for {places} (nodes have {there}"
        f"{'; ...' if len(nodes) > 4 else ''}); lower cluster.workers, cluster.cpus_per_worker or cluster.gpus_per_worker, "
        "or set cluster.wait_for_nodes=true if more nodes will join"
    )


def _places(node: dict[str, float], needs: dict[str, float], most: int) -> int:
    """How many workers fit on a node, as far as it matters."""
    fits = [int(node.get(kind, 0.0) / each + 1e-6) for kind, each in needs.items() if each]
    return min([most, *fits])
