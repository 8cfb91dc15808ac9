"""Joining or starting a Ray cluster, and how much of it a stage may take.

Locally Ray runs embedded in this process's machine; with `address=auto` (set by `ray job submit`) or a given address the
job joins what is there. GPUs may be *logical*: `logical_gpus=8` on a machine without any lets eight workers hold one
each while they compute on the CPU, so placement can be tried, and tested, anywhere.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import ray
from pydantic import model_validator

from ray_pipeline.config import Settings, placement
from ray_pipeline.errors import SettingsError

logger = logging.getLogger(__name__)


_ENVIRONMENT = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's core logs an error for every restartable actor of Ray Data; true errors reach the driver as exceptions
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}


class ClusterSettings(Settings):
    """Where work runs; nothing here changes a result."""

    address: str | None = placement(None, "Ray address (`auto`: the cluster this machine belongs to); null: embedded, or RAY_ADDRESS")
    workers: int = placement(1, "model workers: each holds a copy of the model", ge=1)
    cpus_per_worker: float = placement(1.0, "logical CPUs a model worker holds", ge=0)
    gpus_per_worker: float = placement(0.0, "GPUs a model worker holds", ge=0)
    threads_per_worker: int | None = placement(None, "torch threads a worker; null: the machine's cores shared by the workers", ge=1)
    device: Literal["auto", "cpu", "cuda"] = placement("auto", "auto: cuda where the worker holds a GPU and torch sees one")
    cpus: int | None = placement(None, "logical CPUs of the embedded Ray; null: this machine's cores", ge=1)
    logical_gpus: int | None = placement(None, "logical GPUs of the embedded Ray; null: this machine's", ge=0)
    object_store_mb: int = placement(512, "object store of the embedded Ray, in MB", ge=80)
    max_restarts: int = placement(3, "how often a dead worker is started again", ge=0)

    @model_validator(mode="after")
    def _cuda_needs_gpus(self) -> ClusterSettings:
        if self.device == "cuda" and not self.gpus_per_worker:
            raise ValueError("device=cuda needs gpus_per_worker > 0, or Ray will hand every worker the same GPU")
        return self

    def threads(self) -> int:
        """Torch threads for one worker."""
        return self.threads_per_worker or max(1, (os.cpu_count() or 1) // self.workers)

    def torch_device(self) -> str:
        """The device a worker computes on (asked inside the worker)."""
        if self.device != "auto":
            return self.device
        import torch  # asked in workers that compute; the driver never needs it

        return "cuda" if self.gpus_per_worker and torch.cuda.is_available() else "cpu"


def connect(settings: ClusterSettings) -> None:
    """Start or join Ray once; a second call finds it running."""
    if ray.is_initialized():
        return
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # an embedded Ray makes itself a token and says so at every start
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
    address = settings.address or os.environ.get("RAY_ADDRESS")
    started = time.monotonic()
    if address:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    else:
        with _native_stderr_closed():
            _start_embedded(settings)
    _check_room(settings)
    resources = ray.cluster_resources()
    logger.info(
        "Ray %s: %g CPUs, %g GPUs, %d node(s), ready in %.1f s",
        f"at {address}" if address else "embedded",
        resources.get("CPU", 0),
        resources.get("GPU", 0),
        len(ray.nodes()),
        time.monotonic() - started,
    )


def _start_embedded(settings: ClusterSettings) -> None:
    ray.init(
        address="local",
        num_cpus=settings.cpus,
        num_gpus=settings.logical_gpus,
        object_store_memory=settings.object_store_mb << 20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.WARNING,
    )


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
    """Refuse what could only wait for ever."""
    resources = ray.cluster_resources()
    for kind, each in (("CPU", settings.cpus_per_worker), ("GPU", settings.gpus_per_worker)):
        asked = each * settings.workers
        if asked > resources.get(kind, 0) and not _autoscales():
            raise SettingsError(
                f"cluster: {settings.workers} workers x {each:g} {kind} = {asked:g}, but the cluster has {resources.get(kind, 0):g}; "
                f"lower cluster.workers or cluster.{kind.lower()}s_per_worker"
            )


def _autoscales() -> bool:
    """Whether nodes may still join (then waiting for room is right)."""
    return os.environ.get("RAY_PIPELINE_AUTOSCALES", "") == "1"
