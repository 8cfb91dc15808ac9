"""Running shards on a pool of actors, by Ray Data.

Ray Data carries *descriptors* of shards, not their rows: a CPU task prepares a shard (reads and tokenises, say), an
actor of a fixed pool works it off, writes its file and returns a record. The bytes of a shard therefore depend on its
descriptor alone, a dead actor costs the one shard it held, and progress is a count of records.

An error inside a shard comes back as data and is raised on the driver with the worker's own words; only a worker that
dies without words is left to Ray, which starts it again `max_restarts` times.

Traps: Ray Data's defaults start a dead process again without end, so both bounds must be given; preparing tasks and actors
share the CPUs, so actors that hold them all leave preparing tasks waiting for ever (`preparing_cpus`).
"""

from __future__ import annotations

import gc
import json
import logging
import os
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ray

from ray_pipeline.errors import PipelineError, ShardError
from ray_pipeline.placement.cluster import ClusterSettings, connect, preparing_cpus
from ray_pipeline.placement.in_process import pass_stays_here, threads
from ray_pipeline.placement.obituary import obituary

if TYPE_CHECKING:
    from ray.data import Dataset

Payload = dict[str, Any]
Prepare = Callable[[Payload], Payload]
Work = Callable[[Payload], dict[str, Any]]
MakeWorker = Callable[[str], Work]  # given the device
logger = logging.getLogger(__name__)

_PACKAGE: Final = str(Path(__file__).parents[1])
_PREPARED_AHEAD: Final = 2  # shards being prepared for each worker


def run_shards(shards: Sequence[Payload], prepare: Prepare, make_worker: MakeWorker, cluster: ClusterSettings) -> Iterator[dict[str, Any]]:
    """Records of the shards as they finish, in whatever order.

    `prepare` and `make_worker` travel to other processes: module-level functions or instances of picklable classes.
    Every descriptor has an integer `shard`.
    """
    if not shards:
        return
    if pass_stays_here(cluster, len(shards)):
        yield from _here(shards, prepare, make_worker, cluster)
        return
    connect(cluster)
    _configure(cluster)
    unfinished = {int(shard["shard"]) for shard in shards}
    processes: dict[str, int] = {}
    rows = iter(_dataset(shards, prepare, make_worker, cluster).iter_rows())
    death = ""
    try:
        for row in rows:
            answer = json.loads(row["answer"])
            if "error" in answer:
                raise ShardError(answer["error"])
            _note_restart(processes, answer["placed"])
            unfinished.discard(int(answer["shard"]))
            yield answer
    except ray.exceptions.RayError as problem:
        death = obituary(problem, sorted(unfinished))
        logger.debug("Ray's own account of it", exc_info=problem)
    finally:
        rows.close()  # ends the actors now, not when the last traceback is forgotten
    if death:
        gc.collect()  # Ray's error holds the actors, in circles: raised without it, as words
        raise ShardError(death)


def _here(shards: Sequence[Payload], prepare: Prepare, make_worker: MakeWorker, cluster: ClusterSettings) -> Iterator[dict[str, Any]]:
    """The same in this process, one shard after another."""
    placed = {"actor": "", "node": "", "gpus": [], "pid": os.getpid(), "device": "cpu"}
    prepared, work = _Prepared(prepare), _Work(lambda: make_worker("cpu"))
    with threads(cluster), closing(work):
        for shard in shards:
            answer = work(prepared(dict(shard)))
            if "error" in answer:
                raise ShardError(answer["error"])
            yield {**answer, "placed": placed}


def _dataset(shards: Sequence[Payload], prepare: Prepare, make_worker: MakeWorker, cluster: ClusterSettings) -> Dataset:
    from ray.data import ActorPoolStrategy, TaskPoolStrategy, from_items  # a second to import, and many a pass stays in its process

    workers = min(cluster.workers, len(shards))
    descriptors = from_items([dict(shard) for shard in shards], override_num_blocks=len(shards))
    with warnings.catch_warnings():
        # Ray means to drop the arguments below that it does not name, and offers no other bound on restarts
        warnings.simplefilter("ignore", ray.util.annotations.RayDeprecationWarning)
        prepared = descriptors.map(
            _Prepared(prepare),
            compute=TaskPoolStrategy(size=min(_PREPARED_AHEAD * workers, len(shards))),
            num_cpus=preparing_cpus(cluster),
            max_retries=cluster.max_restarts,
        )
        return prepared.map(
            _Worker,
            fn_constructor_args=(make_worker, cluster),
            compute=ActorPoolStrategy(size=workers),
            num_cpus=cluster.cpus_per_worker,
            num_gpus=cluster.gpus_per_worker or None,
            max_restarts=cluster.max_restarts,
            max_task_retries=cluster.max_restarts,
        )


def _note_restart(processes: dict[str, int], placed: Mapping[str, Any]) -> None:
    """Tell the user when an actor answers from another process than before."""
    before = processes.get(placed["actor"], placed["pid"])
    if before != placed["pid"]:
        logger.warning("a worker died (process %d) and was started again (process %d)", before, placed["pid"])
    processes[placed["actor"]] = placed["pid"]


class _Prepared:
    """Wraps `prepare` so that an error in it travels on as data."""

    def __init__(self, prepare: Prepare) -> None:
        self.prepare = prepare

    def __call__(self, shard: Payload) -> Payload:
        try:
            return {"shard": shard["shard"], "error": "", **self.prepare(shard)}
        except Exception as problem:
            return {"shard": shard["shard"], "error": _describe(f"preparing shard {shard['shard']}", problem)}


class _Work:
    """Prepared shards into records, by a worker that is made with the first of them. An error comes back as data, in words."""

    def __init__(self, make: Callable[[], Work]) -> None:
        self.make = make
        self.work: Work | None = None

    def __call__(self, payload: Payload) -> dict[str, Any]:
        error = payload.pop("error")
        if error:
            return {"error": error}
        doing = "starting a worker"
        try:
            self.work = self.work or self.make()
            doing = f"shard {payload['shard']}"
            return self.work(payload)
        except Exception as problem:
            logger.debug("%s failed", doing, exc_info=problem)
            return {"error": _describe(doing, problem)}

    def close(self) -> None:
        """End what the worker holds beside itself, processes of its own say; an actor's end with it."""
        close = getattr(self.work, "close", None)
        if close is not None:
            close()


class _Worker:
    """One actor of the pool: sets up its device and threads, makes its worker once, answers with records.

    All of that happens with the first shard, since Ray makes an actor in one thread and calls it in another. Where both compute,
    each has threads of OpenMP's to help it, together they are more than there are CPUs, and OpenMP then lets them sleep at every turn
    instead of waiting awake: embedding on two cores loses a tenth of its speed to that.
    """

    def __init__(self, make_worker: MakeWorker, cluster: ClusterSettings) -> None:
        self.make_worker = make_worker
        self.cluster = cluster
        self.work = _Work(self._started)
        context = ray.get_runtime_context()
        self.placed = {
            "actor": context.get_actor_id(),
            "node": context.get_node_id(),
            "gpus": context.get_accelerator_ids().get("GPU", []),
            "pid": os.getpid(),
        }

    def __call__(self, payload: Payload) -> Payload:
        return {"answer": json.dumps({**self.work(payload), "placed": self.placed})}

    def _started(self) -> Work:
        import torch  # tokenising tasks import this file too and do without

        torch.set_num_threads(self.cluster.threads())
        self.placed["device"] = self.cluster.torch_device()
        return self.make_worker(self.placed["device"])


def _describe(doing: str, problem: Exception) -> str:
    """What a user needs to know: their own error in its own words, any other with where it happened."""
    if isinstance(problem, PipelineError):
        return str(problem)
    frames = traceback.extract_tb(problem.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_PACKAGE)]
    shown = dict.fromkeys(f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in (*frames[-1:], *ours[-1:]))
    return f"{doing}: {type(problem).__name__}: {problem}" + (f" at {', called from '.join(shown)}" if shown else "")


def _configure(cluster: ClusterSettings) -> None:
    """Bound the deaths during start-up too, and keep Ray Data's own bars, plans and stack traces off the screen: they say
    nothing about shards, our progress line does, and our error tells the cause. Its log files keep them."""
    from ray.data import DataContext

    context = DataContext.get_current()
    context.max_consecutive_actor_init_deaths = cluster.max_restarts
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.addFilter(_worth_showing)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)


def _worth_showing(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR and not record.exc_info
