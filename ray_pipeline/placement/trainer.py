"""Running the same function on several workers that talk to each other through torch.distributed.

Ray Train starts the workers, sets up gloo (CPU) or NCCL (GPU), and starts all of them again when one dies. It knows nothing of
what they do: the function finds its own checkpoints and goes on. What the lead worker says travels to the driver through a
small actor, since workers may be on other machines.

An error of the user's making must not be tried again: the worker leaves it with the same actor, the workers that Ray starts
next see it there and end at once, and the driver raises it in its own words.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import ray
import ray.train
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from ray_pipeline.errors import PipelineError, TrainingError
from ray_pipeline.placement.cluster import ClusterSettings, connect
from ray_pipeline.placement.obituary import cause

logger = logging.getLogger(__name__)
_LISTEN_EVERY: Final = 0.5  # seconds between looks at what the workers said


@dataclass(frozen=True)
class Worker:
    """What a worker knows of its place."""

    rank: int
    world: int
    device: str
    _board: Any

    def say(self, line: str) -> None:
        """A line for the user, from the lead worker."""
        if self.rank == 0:
            self._board.say.remote(line)

    def report(self, metrics: Mapping[str, float]) -> None:
        """Metrics for whoever runs this training as one of many (Tune). All workers call it."""
        ray.train.report(dict(metrics))

    def answer(self, value: Any) -> None:
        """What the lead worker hands back to the driver, as JSON values."""
        if self.rank == 0:
            ray.get(self._board.answer.remote(value))


Work = Callable[[Worker], None]


class _Board:
    """Where the workers leave word for the driver."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.value: Any = None
        self.problem: tuple[str, str] | None = None

    def say(self, line: str) -> None:
        self.lines.append(line)

    def read(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines

    def answer(self, value: Any) -> None:
        self.value = value

    def refuse(self, kind: str, text: str) -> None:
        self.problem = self.problem or (kind, text)

    def refused(self) -> tuple[str, str] | None:
        return self.problem

    def answered(self) -> Any:
        return self.value


def run_together(
    work: Work, workers: int, cluster: ClusterSettings, *, least: int | None = None, callbacks: Sequence[Any] = (), storage: str | None = None
) -> Any:
    """What the lead worker answered, once all have ended. `least`: how few workers may go on while others are missing."""
    connect(cluster.model_copy(update={"workers": least or workers}))
    board = ray.remote(num_cpus=0)(_Board).remote()
    trainer = TorchTrainer(
        _body,
        train_loop_config={"work": work, "board": board, "threads": cluster.threads_per_worker, "workers": workers, "device": cluster.device},
        scaling_config=_scaling(workers, least, cluster),
        torch_config=TorchConfig(backend="nccl" if _on_cuda(cluster) else "gloo"),
        run_config=RunConfig(
            name=f"train-{uuid.uuid4().hex[:8]}",
            storage_path=storage or tempfile.gettempdir(),
            failure_config=FailureConfig(max_failures=cluster.max_restarts),
            callbacks=list(callbacks),
        ),
    )
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")  # how soon an end is noticed; the default costs 2 s a run
    with _listening(board), _quiet():
        try:
            trainer.fit()
        except ray.train.TrainingFailedError as problem:
            raise TrainingError(f"a training worker died and starting again did not help: {cause(problem)}") from problem
    refused = ray.get(board.refused.remote())
    if refused is not None:
        raise _known(refused[0])(refused[1])
    return ray.get(board.answered.remote())


def _scaling(workers: int, least: int | None, cluster: ClusterSettings) -> ScalingConfig:
    resources = {"CPU": cluster.cpus_per_worker, **({"GPU": cluster.gpus_per_worker} if cluster.gpus_per_worker else {})}
    return ScalingConfig(
        num_workers=workers if least is None else (least, workers), use_gpu=cluster.gpus_per_worker > 0, resources_per_worker=resources
    )


def _on_cuda(cluster: ClusterSettings) -> bool:
    """Whether the workers will find CUDA: logical GPUs are held without one."""
    if cluster.device != "auto" or not cluster.gpus_per_worker:
        return cluster.device == "cuda"
    return bool(ray.get(ray.remote(num_cpus=0, num_gpus=cluster.gpus_per_worker)(_sees_cuda).remote()))


def _sees_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _body(config: dict[str, Any]) -> None:
    """On each worker."""
    import torch

    board = config["board"]
    if ray.get(board.refused.remote()) is not None:
        return  # an earlier try met an error of the user's making
    context = ray.train.get_context()
    cuda = torch.cuda.is_available() and config["device"] != "cpu" and bool(ray.get_runtime_context().get_accelerator_ids().get("GPU"))
    torch.set_num_threads(config["threads"] or max(1, len(os.sched_getaffinity(0)) // config["workers"]))
    device = str(ray.train.torch.get_device()) if cuda else "cpu"
    try:
        config["work"](Worker(context.get_world_rank(), context.get_world_size(), device, board))
    except PipelineError as problem:
        ray.get(board.refuse.remote(type(problem).__name__, str(problem)))
        raise


def _known(name: str) -> type[PipelineError]:
    kinds = {kind.__name__: kind for kind in PipelineError.__subclasses__()}
    return kinds.get(name, PipelineError)


@contextmanager
def _listening(board: Any) -> Iterator[None]:
    """Log what the workers say while the driver waits for them."""
    ended = threading.Event()

    def listen() -> None:
        while not ended.wait(_LISTEN_EVERY):
            for line in ray.get(board.read.remote()):
                logger.info("%s", line)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        ended.set()
        listener.join()
        for line in ray.get(board.read.remote()):
            logger.info("%s", line)


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray Train's own account of itself stays off the screen."""
    names = ("ray.train", "ray.tune")
    before = [logging.getLogger(name).level for name in names]
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in zip(names, before, strict=True):
            logging.getLogger(name).setLevel(level)
