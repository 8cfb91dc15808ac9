"""Running many trainings side by side with Ray Tune, as many at a time as their workers have room.

A trial is an actor that builds one training and waits for it. It reserves nothing: the training's workers reserve what they
need, and a driver that held a CPU could wait for ever for workers that wait for its CPU. How many run at a time is what the
cluster's nodes have room for, asked anew before each start, since nodes may join.

What a training reports (`Worker.report`) travels to Tune through a callback that Ray Train adds to every training of a trial's
process, so no stage needs to know that it is part of a trial. The trial's own answer is reported last.

ASHA (Li et al., arXiv 1810.05934) stops a trial at a rung (`grace`, `grace * reduction`, ...) whose figure there is not among
the best 1/`reduction` of those that came there before. Traps:

* Tune's ASHA also stops whatever reaches its `max_t`, in the middle of the last report, before the model is exported. Trainings
  know themselves how long they are, so `max_t` is out of reach here.
* A trial that is stopped leaves a thread waiting inside its actor; it is the end of the actor that ends its training: controller
  and workers are owned by it. What they had reserved does not come back by itself; see `reservations.py`.
* Tune's own restore forgets ASHA's rungs. So nothing is restored here: who calls keeps the record of what ended and what had
  been evaluated, and hands it over to be seen by a fresh ASHA (`Trials.known`, `Begun.evaluations`).
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, Literal, Protocol

import ray
from ray import tune
from ray.train.v2._internal.callbacks.user_callback import UserCallbackHandler
from ray.tune.integration.ray_train import TuneReportCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import Searcher

from ray_pipeline.config import Settings, identity
from ray_pipeline.placement.cluster import ClusterSettings, connect
from ray_pipeline.placement.ray_settings import environment, quiet

Values = Mapping[str, Any]
Row = Mapping[str, Any]  # one evaluation: figures by name
How = Literal["answered", "stopped", "died"]
Body = Callable[[int, Values], Any]  # a trial: number, values -> an answer of JSON values

_ROW: Final = "evaluation"  # keys of what a trial reports
_ANSWER: Final = "answer"
_OUT_OF_REACH: Final = 1e12
_NEXT_TO_NOTHING: Final = {"CPU": 0.0, "memory": 1.0}  # a byte: Tune refuses a trial that reserves nothing at all
_QUIET: Final = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the new one prints a box even when it is told to be silent
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # a CSV, a JSON and a TensorBoard file for every trial
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # the answer is a report without figures
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl+C stops this run as it stops any other, instead of ending it as if it were done
}


class Asha(Settings):
    """Stop trials that are behind the others at the same point."""

    kind: Literal["asha"] = identity("asha", "asynchronous successive halving")
    unit: Literal["epoch", "step"] = identity("epoch", "what rungs are counted in")
    grace: float = identity(1.0, "the first rung: every trial trains so long", gt=0)
    reduction: float = identity(3.0, "rungs are a factor of this apart, and the best share of 1 / this goes on at each", gt=1)


@dataclass(frozen=True)
class Objective:
    """The figure that trials are compared by."""

    name: str
    greater_is_better: bool


@dataclass(frozen=True)
class Begun:
    """A trial to be run; `evaluations` are of an earlier try that was killed and is now continued."""

    number: int
    values: Values
    evaluations: Sequence[Row] = ()


class Trials(Protocol):
    """Who decides what is tried and keeps the books; all of it runs on the driver."""

    def known(self) -> Mapping[int, Sequence[Row]]:
        """The evaluations of the trials that ended in an earlier run."""

    def begin(self) -> Begun | None:
        """The next trial; None: there are no more."""

    def evaluated(self, number: int, row: Row) -> None: ...

    def ended(self, number: int, how: How, answer: Any) -> None: ...


def run_trials(trials: Trials, body: Body, count: int, workers: int, cluster: ClusterSettings, objective: Objective, scheduler: Asha | None) -> None:
    """Run `count` trials whose trainings have `workers` workers each. What `trials` raises ends all of them."""
    connect(cluster.model_copy(update={"workers": workers}))
    feed = _Feed(trials, workers, cluster)
    scratch = tempfile.TemporaryDirectory(prefix="ray_pipeline-tune-")
    with scratch as folder, environment(_QUIET, theirs_stay=False), quiet("ray.tune", level=logging.CRITICAL), _plain_stop():
        tune.Tuner(
            tune.with_resources(_trainable(body), tune.PlacementGroupFactory([_NEXT_TO_NOTHING])),
            tune_config=tune.TuneConfig(
                search_alg=feed,
                scheduler=None if scheduler is None else _asha(scheduler, objective, trials.known()),
                num_samples=count,
                reuse_actors=False,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name=f"trials-{uuid.uuid4().hex[:8]}",
                storage_path=folder,
                failure_config=tune.FailureConfig(max_failures=cluster.max_restarts),
                callbacks=[_Ears(feed)],
                stop=_OnProblem(feed),
                verbose=0,
            ),
        ).fit()
    if feed.problem is not None:
        raise feed.problem


def room(workers: int, cluster: ClusterSettings, most: int) -> int:
    """How many trainings of so many workers the nodes hold at a time: at least one, which may have to wait for nodes."""
    needs = {kind: each for kind, each in (("CPU", cluster.cpus_per_worker), ("GPU", cluster.gpus_per_worker)) if each}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    places = sum(min([most * workers, *(int(node.get(kind, 0.0) / each + 1e-6) for kind, each in needs.items())]) for node in nodes)
    return max(1, places // workers)


def _trainable(body: Body) -> Callable[[dict[str, Any]], None]:
    def trial(config: dict[str, Any]) -> None:
        os.environ["RAY_TRAIN_CALLBACKS"] = f"{_ToTune.__module__}.{_ToTune.__qualname__}"
        begun = json.loads(config["trial"])
        for row in begun["evaluations"]:
            tune.report(_reported(row))
        answer = body(begun["number"], begun["values"])
        tune.report({_ANSWER: json.dumps(answer)})

    return trial


def _reported(row: Row) -> dict[str, Any]:
    """An evaluation as Tune sees it: its figures for the scheduler, and all of it in one piece, since Tune adds keys of its own."""
    return {**row, _ROW: json.dumps(dict(row))}


class _Reports(TuneReportCallback):  # type: ignore[misc]
    """Hands on what the lead worker reported."""

    def after_report(self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Any) -> None:
        super().after_report(run_context, [_reported(row) for row in metrics], checkpoint)


class _ToTune(UserCallbackHandler):  # type: ignore[misc]
    """What Ray Train adds to each training of a trial's process, by name (RAY_TRAIN_CALLBACKS)."""

    def __init__(self) -> None:
        super().__init__([_Reports()], None)


class _Feed(Searcher):  # type: ignore[misc]
    """Gives Tune the next trial whenever there is room for its workers."""

    def __init__(self, trials: Trials, workers: int, cluster: ClusterSettings) -> None:
        super().__init__()
        self.trials, self.workers, self.cluster = trials, workers, cluster
        self.running: dict[str, int] = {}  # Tune's id -> number
        self.answers: dict[int, Any] = {}
        self.problem: BaseException | None = None

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        """Tune pickles all it was given, to restore it one day; books that are open here have no copy."""
        return object, ()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self.problem is not None:
            return str(Searcher.FINISHED)
        if self.running and len(self.running) >= room(self.workers, self.cluster, len(self.running) + 1):
            return None
        begun = self.trials.begin()
        if begun is None:
            return str(Searcher.FINISHED)
        self.running[trial_id] = begun.number
        content = {"number": begun.number, "values": dict(begun.values), "evaluations": [dict(row) for row in begun.evaluations]}
        return {"trial": json.dumps(content)}  # as text: Tune looks for search spaces inside mappings

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """`_Ears` hears of it too, and sees results that this does not."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing of Tune's is ever restored."""

    def heard(self, trial_id: str, result: Mapping[str, Any]) -> None:
        number = self.running[trial_id]
        if _ANSWER in result:
            self.answers[number] = json.loads(result[_ANSWER])
        elif _ROW in result:
            self.trials.evaluated(number, json.loads(result[_ROW]))

    def over(self, trial_id: str, *, died: bool) -> None:
        number = self.running.pop(trial_id)
        answered = number in self.answers
        self.trials.ended(number, "died" if died else "answered" if answered else "stopped", self.answers.get(number))


class _Ears(tune.Callback):  # type: ignore[misc]
    """What Tune hears from trials, the report that a trial was stopped at included."""

    def __init__(self, feed: _Feed) -> None:
        self.feed = feed

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        with self._listening():
            self.feed.heard(trial.trial_id, result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with self._listening():
            self.feed.over(trial.trial_id, died=False)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with self._listening():
            self.feed.over(trial.trial_id, died=True)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """After a problem nothing is heard any more; Tune would take it for the trial's and go on."""
        if self.feed.problem is None:
            try:
                yield
            except Exception as problem:
                self.feed.problem = problem
        else:
            yield


class _OnProblem(tune.Stopper):  # type: ignore[misc]
    """Ends all trials at once."""

    def __init__(self, feed: _Feed) -> None:
        self.feed = feed

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self.feed.problem is not None

    def stop_all(self) -> bool:
        return self.feed.problem is not None


def _asha(settings: Asha, objective: Objective, known: Mapping[int, Iterable[Row]]) -> ASHAScheduler:
    """ASHA that has already seen what earlier runs evaluated."""
    scheduler = ASHAScheduler(
        time_attr=settings.unit,
        metric=objective.name,
        mode="max" if objective.greater_is_better else "min",
        max_t=_OUT_OF_REACH,
        grace_period=settings.grace,
        reduction_factor=settings.reduction,
    )
    for number, rows in known.items():
        trial = SimpleNamespace(trial_id=f"known-{number}")
        scheduler.on_trial_add(None, trial)
        for row in rows:
            scheduler.on_trial_result(None, trial, dict(row))
    return scheduler


@contextmanager
def _plain_stop() -> Iterator[None]:
    """A stop signal as its handler raised it: `ray.wait` makes a SystemError of it."""
    try:
        yield
    except SystemError as problem:
        if problem.__cause__ is None:
            raise
        raise problem.__cause__ from None
