"""Running shards on a pool of actors, by Ray Data.

Ray Data carries *descriptors* of shards, not their rows: a CPU task prepares a shard (reads and tokenises, say), an
actor of a fixed pool works it off, writes its file and returns a record. The bytes of a shard therefore depend on its
descriptor alone, a dead actor costs the one shard it held, and progress is a count of records.

An error inside a shard comes back as data and is raised on the driver with the worker's own words; only a worker that
dies without words is left to Ray, which restarts it `max_restarts` times.
"""

from __future__ import annotations

import json
import logging
import os
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext

from ray_pipeline.errors import PipelineError, ShardError
from ray_pipeline.placement.cluster import ClusterSettings, connect

Payload = dict[str, Any]
Prepare = Callable[[Payload], Payload]
Work = Callable[[Payload], dict[str, Any]]
MakeWorker = Callable[[str], Work]  # given the device
logger = logging.getLogger(__name__)


def run_shards(shards: Sequence[Payload], prepare: Prepare, make_worker: MakeWorker, cluster: ClusterSettings) -> Iterator[dict[str, Any]]:
    """Records of the shards as they finish, in whatever order.

    `prepare` and `make_worker` travel to other processes: module-level functions or instances of picklable classes.
    Every descriptor has an integer `shard`.
    """
    if not shards:
        return
    connect(cluster)
    _quiet()
    records = _dataset(shards, prepare, make_worker, cluster)
    try:
        for row in records.iter_rows():
            answer = json.loads(row["answer"])
            if "error" in answer:
                raise ShardError(answer["error"])
            yield answer
    except ray.exceptions.RayError as problem:
        raise ShardError(f"a worker died: {last_words(problem)}") from problem


def _dataset(shards: Sequence[Payload], prepare: Prepare, make_worker: MakeWorker, cluster: ClusterSettings) -> ray.data.Dataset:
    restarts = {"max_restarts": cluster.max_restarts, "max_task_retries": cluster.max_restarts}
    descriptors = ray.data.from_items([dict(shard) for shard in shards], override_num_blocks=len(shards))
    with warnings.catch_warnings():
        # Ray means to drop this argument, and offers no other bound on restarts: its default is to restart for ever
        warnings.simplefilter("ignore", ray.util.annotations.RayDeprecationWarning)
        return descriptors.map(_Prepared(prepare), num_cpus=0.5).map(
            _Worker,
            fn_constructor_args=(make_worker, cluster),
            compute=ActorPoolStrategy(size=min(cluster.workers, len(shards))),
            num_cpus=cluster.cpus_per_worker,
            num_gpus=cluster.gpus_per_worker or None,
            ray_remote_args_fn=lambda: restarts,
        )


def last_words(problem: BaseException) -> str:
    """The innermost cause of an error that Ray wrapped, in one line."""
    seen: BaseException = problem
    while True:
        inner = getattr(seen, "cause", None) or seen.__cause__
        if not isinstance(inner, BaseException) or inner is seen:
            break
        seen = inner
    lines = [line.strip() for line in str(seen).splitlines() if line.strip()]
    return f"{type(seen).__name__}: {lines[-1] if lines else 'no message'}"


class _Prepared:
    """Wraps `prepare` so that an error in it travels on as data."""

    def __init__(self, prepare: Prepare) -> None:
        self.prepare = prepare

    def __call__(self, shard: Payload) -> Payload:
        try:
            return {"shard": shard["shard"], "error": "", **self.prepare(shard)}
        except Exception as problem:
            return {"shard": shard["shard"], "error": _describe(shard, problem)}


class _Worker:
    """One actor of the pool: sets up its device and threads, makes its worker once, answers with records."""

    def __init__(self, make_worker: MakeWorker, cluster: ClusterSettings) -> None:
        import torch  # tokenising tasks import this file too and do without

        torch.set_num_threads(cluster.threads())
        context = ray.get_runtime_context()
        self.placed = {
            "actor": context.get_actor_id(),
            "node": context.get_node_id(),
            "gpus": context.get_accelerator_ids().get("GPU", []),
            "pid": os.getpid(),
        }
        self.failed_to_start = ""
        try:
            self.work: Work = make_worker(cluster.torch_device())
        except Exception as problem:
            self.failed_to_start = _describe({"shard": "start-up"}, problem)

    def __call__(self, payload: Payload) -> Payload:
        error = self.failed_to_start or payload.pop("error")
        if not error:
            try:
                return {"answer": json.dumps({**self.work(payload), "placed": self.placed})}
            except Exception as problem:
                error = _describe(payload, problem)
        return {"answer": json.dumps({"error": error})}


def _describe(shard: Mapping[str, Any], problem: Exception) -> str:
    """What a user needs to know: their own error in its own words, ours with where it happened."""
    if isinstance(problem, PipelineError):
        return str(problem)
    frames = traceback.extract_tb(problem.__traceback__)
    place = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    return f"shard {shard['shard']}: {type(problem).__name__}: {problem}{place}"


def _quiet() -> None:
    """Ray Data's own bars and plans say nothing about shards; our progress line does."""
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
