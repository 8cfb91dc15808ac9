"""Running the same function on several workers that talk to each other through torch.distributed.

Ray Train starts the workers, sets up gloo (CPU) or NCCL (GPU), and starts all of them again when one dies. It knows nothing of
what they do: the function finds its own checkpoints and goes on. What the lead worker says travels to the driver through a
small actor, since workers may be on other machines.

An error of the user's making must not be tried again: the worker leaves it with the same actor, the workers that Ray starts
next see it there and end at once, and the driver raises it in its own words.

Ray Train, with Ray Data and pandas behind it, takes a second to import: that is done where a training goes to workers, not in every job
that could send one there.
"""

from __future__ import annotations

import functools
import logging
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ray
from ray import cloudpickle

from ray_pipeline.errors import PipelineError, SettingsError, TrainingError
from ray_pipeline.placement.board import Board
from ray_pipeline.placement.cluster import ClusterSettings, connect, is_embedded
from ray_pipeline.placement.in_process import threads, training_stays_here
from ray_pipeline.placement.obituary import cause, last_words
from ray_pipeline.placement.ray_settings import environment, quiet

if TYPE_CHECKING:
    from ray_pipeline.placement.controller import Trainer

logger = logging.getLogger(__name__)
_LISTEN_EVERY: Final = 0.5  # seconds between looks at what the workers said
_ABORT_S: Final = 5.0  # how long the controller may take to end the workers before it is killed
_ENVIRONMENT: Final = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # how soon an end is noticed; the default costs 2 s a run
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # or a model's relative path would be looked for elsewhere
}
_EMBEDDED: Final = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}  # a process that asks whether this machine is about to be taken away


@dataclass(frozen=True)
class Worker:
    """What a worker knows of its place, and whom it tells what."""

    rank: int
    world: int
    device: str
    say: Callable[[str], None]  # a line for the user; the lead worker's are heard
    answer: Callable[[Any], None]  # what the lead worker hands back to the driver, as JSON values
    report: Callable[[Mapping[str, float]], None]  # metrics for whoever runs this training as one of many (Tune); all workers call it


Work = Callable[[Worker], None]


def run_together(work: Work, workers: int, cluster: ClusterSettings, *, least: int | None = None) -> Any:
    """What the lead worker answered, once all have ended. `least`: how few workers may go on while others are missing."""
    if training_stays_here(cluster, workers):
        return _here(work, cluster)
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig

    from ray_pipeline.placement.controller import Introduction, Trainer

    connect(cluster.model_copy(update={"workers": least or workers}))
    backend = "nccl" if _on_cuda(cluster) else "gloo"
    board = ray.remote(num_cpus=0)(Board).remote()
    wanted = {**_ENVIRONMENT, **(_EMBEDDED if is_embedded(cluster) else {})}
    # where a controller that was just killed may still write, the rest of the folder goes all the same
    scratch = tempfile.TemporaryDirectory(prefix="ray_pipeline-train-", ignore_cleanup_errors=True)
    with scratch as folder, environment(wanted, theirs_stay=True), quiet("ray.train", "ray.tune"):
        trainer = Trainer(
            # not as train_loop_config: the controller would unpickle that, and import all that the work needs before it starts a worker
            functools.partial(_body, work, board, cluster.threads_per_worker, workers, cluster.device),
            scaling_config=ScalingConfig(**_scaling(workers, least, cluster)),
            torch_config=TorchConfig(backend=backend),
            run_config=RunConfig(
                name=f"train-{uuid.uuid4().hex[:8]}",
                storage_path=folder,  # for Ray's own notes; nothing of ours goes there
                failure_config=FailureConfig(max_failures=cluster.max_restarts),
                callbacks=[Introduction(board)],
            ),
        )
        trainer.nodes_may_join = not is_embedded(cluster)
        died = _fit(trainer, board)
    refused = ray.get(board.refused.remote())
    if refused is not None:
        raise _known(refused[0])(refused[1])
    if died is not None:
        spoken = " | ".join(last_words(died))
        raise TrainingError(
            f"a training worker died, and {cluster.max_restarts} new starts did not help: {cause(died)}"
            + (f"; its last words: {spoken}" if spoken else "; it left no word (out of memory? smaller micro batches need less)")
        ) from died
    return ray.get(board.answered.remote())


def _here(work: Work, cluster: ClusterSettings) -> Any:
    """One worker in this process."""
    answers: list[Any] = []
    with threads(cluster):
        work(Worker(0, 1, "cpu", lambda line: logger.info("%s", line), answers.append, lambda metrics: None))
    return answers[-1] if answers else None


def _fit(trainer: Trainer, board: Any) -> BaseException | None:
    """Run it to its end, which may be an error of the workers'. Whatever breaks in here, a stop signal above all, ends them too.

    Ray waits in a thread, and this one where Python sees signals: inside `ray.get` an exception of a signal handler is lost,
    and Ray Train's own handler of Ctrl-C, which it sets in the main thread only, makes of a stop a quiet success.
    """
    from ray.train import TrainingFailedError

    ending: Future[None] = Future()

    def fit() -> None:
        try:
            trainer.fit()
        except BaseException as problem:  # handed to who waits
            ending.set_exception(problem)
        else:
            ending.set_result(None)

    threading.Thread(target=fit, daemon=True, name="fit").start()
    try:
        with _listening(board):
            ending.result()
    except TrainingFailedError as problem:
        died: BaseException = problem
        return died
    except BaseException:
        left = ray.get(board.stop.remote())
        if left is not None:
            controller = cloudpickle.loads(left)
            ray.wait([controller.abort.remote()], timeout=_ABORT_S)  # gives back what the workers hold
            ray.kill(controller)
        raise
    return None


def _scaling(workers: int, least: int | None, cluster: ClusterSettings) -> dict[str, Any]:
    resources = {"CPU": cluster.cpus_per_worker, **({"GPU": cluster.gpus_per_worker} if cluster.gpus_per_worker else {})}
    return {"num_workers": workers if least is None else (least, workers), "use_gpu": cluster.gpus_per_worker > 0, "resources_per_worker": resources}


def _on_cuda(cluster: ClusterSettings) -> bool:
    """Whether the workers will find CUDA: logical GPUs are held without one."""
    if cluster.device == "cpu" or not cluster.gpus_per_worker:
        return False
    # not inside a placement group that this process may belong to (a trial's), which holds no GPU
    probe = ray.remote(num_cpus=0, num_gpus=cluster.gpus_per_worker, scheduling_strategy="DEFAULT")(_sees_cuda)
    found = bool(ray.get(probe.remote()))
    if cluster.device == "cuda" and not found:
        raise SettingsError("cluster.device=cuda, but torch sees no CUDA where a worker holds a GPU; set cluster.device=auto, or fix the driver")
    return found


def _sees_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _body(work: Work, board: Any, threads: int | None, workers: int, device: str) -> None:
    """On each worker."""
    import ray.train.torch
    import torch

    if ray.get(board.refused.remote()) is not None:
        return  # an earlier try met an error of the user's making
    context = ray.train.get_context()
    cuda = torch.cuda.is_available() and device != "cpu" and bool(ray.get_runtime_context().get_accelerator_ids().get("GPU"))
    torch.set_num_threads(threads or max(1, len(os.sched_getaffinity(0)) // workers))
    place = str(ray.train.torch.get_device()) if cuda else "cpu"
    try:
        work(_worker(context.get_world_rank(), context.get_world_size(), place, board))
    except PipelineError as problem:
        ray.get(board.refuse.remote(type(problem).__name__, str(problem)))
        raise


def _worker(rank: int, world: int, device: str, board: Any) -> Worker:
    """One of several, which leaves word with the board."""
    import ray.train

    def say(line: str) -> None:
        if rank == 0:
            board.say.remote(line)

    def answer(value: Any) -> None:
        if rank == 0:
            ray.get(board.answer.remote(value))

    return Worker(rank, world, device, say, answer, lambda metrics: ray.train.report(dict(metrics)))


def _known(name: str) -> type[PipelineError]:
    kinds = {kind.__name__: kind for kind in PipelineError.__subclasses__()}
    return kinds.get(name, PipelineError)


@contextmanager
def _listening(board: Any) -> Iterator[None]:
    """Log what the workers say while the driver waits for them."""
    ended = threading.Event()

    def listen() -> None:
        while not ended.wait(_LISTEN_EVERY):
            _tell(board)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        ended.set()
        listener.join()
        _tell(board)


def _tell(board: Any) -> None:
    for line in ray.get(board.read.remote()):
        logger.info("%s", line)
