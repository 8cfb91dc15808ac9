"""The one training loop.

It knows steps, rates, clipping, evaluation, checkpoints, early stop and the collapse guard. It knows nothing of what is
trained: the task gives sums and counts (`task.py`), the loop divides by the counts of all batches of all ranks.

A run is a function of its settings, its data and its number of ranks. A killed run goes on from its newest checkpoint with
every generator, average and count as they were, so that it ends with the same bits as one that was never killed. For that
a checkpoint is written *after* the evaluation of its step, and nothing is drawn at random outside steps.

Every rank takes every decision from the same all-reduced numbers, so all of them stop at the same step.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic

from torch import nn

from ray_pipeline.errors import SettingsError, TrainingError
from ray_pipeline.models.trained_weights import trained
from ray_pipeline.training.checkpoint import Checkpoints
from ray_pipeline.training.distributed import Group, wrap
from ray_pipeline.training.generators import seed_generators
from ray_pipeline.training.gradient_norm import clip
from ray_pipeline.training.guard import Guard, StepFacts, Verdict
from ray_pipeline.training.observers import Observer
from ray_pipeline.training.optimizer import build_optimizer, group_report, group_table
from ray_pipeline.training.run_checkpoints import RunCheckpoints
from ray_pipeline.training.run_state import Ending, RunState
from ray_pipeline.training.schedule import lr_share, set_lr, warmup_steps
from ray_pipeline.training.settings import TrainSettings
from ray_pipeline.training.task import Batch, Source, Step, Task

logger = logging.getLogger(__name__)
_NO_MEANS = ("loss", "tokens", "weight", "queries", "off_diagonal_cosine", "off_diagonal_pairs")  # sums with a name or a divisor of their own


class Loop(Generic[Batch]):
    """One run on one rank."""

    def __init__(
        self,
        task: Task[Batch],
        source: Source[Batch],
        settings: TrainSettings,
        group: Group,
        checkpoints: Checkpoints,
        observer: Observer,
        say: Callable[[str], None] = logger.info,
    ) -> None:
        self.task, self.source, self.settings, self.group = task, source, settings, group
        self.observer, self.say = observer, say
        self.total = source.total_steps()
        self.state = RunState()
        seed_generators(settings.seed, group.rank)
        model = wrap(task.model, group, settings.distributed.strategy)
        if settings.compile:
            model.compile(dynamic=True)
        task.wrapped(model)
        self.parameters: dict[str, nn.Parameter] = {**trained(task.model), **task.own_parameters()}
        kinds = task.kinds()
        self.optimizer = build_optimizer(((name, one, kinds[name]) for name, one in self.parameters.items()), settings.optimizer, group.device)
        self.guard = self._guard(warmup_steps(settings.schedule, self.total))
        self.kept = RunCheckpoints(checkpoints, settings, group, self.parameters, self.optimizer, source, self.guard)

    def _guard(self, warm: int) -> Guard | None:
        settings, evaluation = self.settings, self.settings.evaluation
        if settings.guard is None:
            return None
        if evaluation is None:
            return Guard(settings.guard, lr=settings.optimizer.lr, warmup_steps=warm)
        return Guard(
            settings.guard,
            lr=settings.optimizer.lr,
            warmup_steps=warm,
            metric=evaluation.metric,
            greater_is_better=evaluation.greater_is_better,
        )

    def run(self) -> Ending:
        self.say(group_table(group_report(self.optimizer)))
        found = self.kept.resume()
        if found is not None:
            self.state = found
            self.observer.resumed(found.history)
            self.say(f"going on from the checkpoint of step {found.step:,} of {self.total:,}")
        if self.state.ended is None:
            self._train()
        chosen = self._choose()
        state = self.state
        return Ending(str(state.ended), state.why, state.step, chosen, state.best_value, state.history)

    def _train(self) -> None:
        evaluation = self.settings.evaluation
        if evaluation is not None and evaluation.at_start and not self.state.history:
            verdict = self._evaluate(0.0)
            if verdict is not None:
                return self._end("collapsed", str(verdict))
            self.kept.save(self.state)
        for step in self.source:
            verdict = self._update(step)
            if verdict is not None:
                return self._end("collapsed", str(verdict))
            last = self.state.step >= self.total
            if step.ends_epoch:
                self.state.epoch_steps[str(step.epoch)] = self.state.step
            evaluated = self._evaluation_due(step, last)
            verdict = self._evaluate(self._epoch(step)) if evaluated else None
            if verdict is not None:
                return self._end("collapsed", str(verdict))
            if evaluated and evaluation is not None and self.state.out_of_patience(evaluation):
                return self._end("early stop", f"no better {evaluation.metric} in {self.state.without_gain} evaluations")
            if last:
                return self._end("finished", f"all {self.total:,} steps are done")
            if self._checkpoint_due(step, evaluated):
                self.kept.save(self.state)
        raise TrainingError(f"the data ended after {self.state.step} of {self.total} steps; the source and its total_steps() disagree")

    def _update(self, step: Step[Batch]) -> Verdict | None:
        """One optimizer step; a verdict of the guard comes before the weights are touched."""
        started = time.monotonic()
        count = self.group.sum({"count": sum(self.task.count(batch) for batch in step.batches)})["count"]
        set_lr(self.optimizer, lr_share(self.state.step, self.total, self.settings.schedule))
        sums: dict[str, float] = {}
        for at, batch in enumerate(step.batches):
            # DDP and FSDP average over the ranks; the loss is a sum over them
            found = self.task.backward(batch, self.group.world / count, at == len(step.batches) - 1)
            sums = {name: sums.get(name, 0.0) + value for name, value in found.items()}
        for parameter in self.task.own_parameters().values():
            if parameter.grad is not None:
                self.group.add_(parameter.grad).div_(self.group.world)
        norm = clip(self.parameters.values(), self.settings.clip_norm)
        sums = self.group.sum(sums)
        number = self.state.step + 1
        cosine = _mean(sums, "off_diagonal_cosine", sums.get("off_diagonal_pairs", 0.0))
        facts = StepFacts(number, sums["loss"] / count, norm, _mean(sums, "chance", count), cosine)
        verdict = self.guard.step(facts) if self.guard is not None else None
        if verdict is None:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.state.step = number
        self._record_step(step, facts, sums, count, time.monotonic() - started)
        if verdict is None:
            self.source.after_update(self.task.model, number, self.state.history[-1])
        return verdict

    def _record_step(self, step: Step[Batch], facts: StepFacts, sums: Mapping[str, float], count: float, seconds: float) -> None:
        row = {"kind": "step", "step": facts.step, "epoch": self._epoch(step), "loss": facts.loss, "lr": self.optimizer.param_groups[0]["lr"]}
        row |= {"grad_norm": facts.grad_norm, "tokens": int(sums.get("tokens", 0)), "seconds": round(seconds, 4)}
        row |= {name: value / count for name, value in sums.items() if name not in _NO_MEANS}
        if facts.off_diagonal_cosine is not None:
            row["off_diagonal_cosine"] = facts.off_diagonal_cosine
        self.state.history.append(row)
        self.observer.step(row)

    def _epoch(self, step: Step[Batch]) -> float:
        """How many passes over the data are done."""
        return step.epoch + step.share_of_epoch

    def _evaluation_due(self, step: Step[Batch], last: bool) -> bool:
        evaluation = self.settings.evaluation
        if evaluation is None:
            return False
        if evaluation.every_steps is not None:
            return last or self.state.step % evaluation.every_steps == 0
        every = evaluation.every_epochs or 1.0
        before, now = step.epoch + step.share_before, self._epoch(step)
        return last or math.floor(now / every + 1e-9) > math.floor(before / every + 1e-9)

    def _checkpoint_due(self, step: Step[Batch], evaluated: bool) -> bool:
        every = self.settings.checkpoints.every_steps
        if every is not None and self.state.step % every == 0:
            return True
        return evaluated or (step.ends_epoch and (self.settings.checkpoints.keep_epochs or self.settings.evaluation is None))

    def _evaluate(self, epoch: float) -> Verdict | None:
        evaluation = self.settings.evaluation
        if evaluation is None:
            return None
        found = self.task.evaluate()
        if evaluation.metric not in found:
            raise SettingsError(f"evaluation.metric={evaluation.metric!r} is not measured here; there are {', '.join(sorted(found))}")
        value = found[evaluation.metric]
        self.state.evaluated(value, evaluation)
        row: dict[str, Any] = {"kind": "evaluation", "step": self.state.step, "epoch": epoch, **self.state.train_loss(), **found}
        self.state.history.append(row)
        self.observer.evaluation(row)
        return None if self.guard is None else self.guard.evaluated(self.state.step, value)

    def _end(self, how: str, why: str) -> None:
        self.state.ended, self.state.why = how, why
        self.say(f"{how} after {self.state.step:,} steps: {why}")
        self.kept.save(self.state)

    def _choose(self) -> int:
        """Put the weights that the run ends with into the model: the best, or the last."""
        state = self.state
        wanted = state.best_step if self.settings.checkpoints.keep_best else None
        if wanted is None and state.ended == "collapsed":
            raise TrainingError(f"the run collapsed, and no good weights were kept to go back to: {state.why}")
        if wanted is None or wanted == state.step:
            return state.step
        self.kept.load_weights(wanted)
        self.say(f"the model is that of step {wanted:,}, the best")
        return wanted


def _mean(sums: Mapping[str, float], name: str, count: float) -> float | None:
    return sums[name] / count if name in sums and count else None
