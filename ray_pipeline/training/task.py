"""What the loop asks of what is trained, and of where its data come from.

The loop knows neither losses nor models. A task gives sums and counts; the loop divides by the counts of all batches of
all ranks, so that accumulation, packing and the number of ranks never change the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from torch import nn

from ray_pipeline.training.optimizer import ParameterKind

Batch = TypeVar("Batch")
Taken = TypeVar("Taken", contravariant=True)


@dataclass(frozen=True)
class Step(Generic[Batch]):
    """What one optimizer step is made of, on this rank, and where it stands in the data."""

    batches: tuple[Batch, ...]
    epoch: int  # epochs behind it, whole ones
    share_before: float  # of the epoch, done before this step
    share_of_epoch: float  # of the epoch, done with it

    @property
    def ends_epoch(self) -> bool:
        return self.share_of_epoch == 1.0


class Source(Protocol[Batch]):
    """Where steps come from: a shuffled file is one, a buffer of rollouts another."""

    def __iter__(self) -> Iterator[Step[Batch]]:
        """Steps from the present position on."""

    def total_steps(self) -> int: ...

    def state_dict(self) -> dict[str, Any]:
        """The position behind the last step taken, as JSON."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...

    def after_update(self, model: nn.Module, step: int, row: Mapping[str, Any]) -> None:
        """New weights are there (rollouts want them). `row`: what was logged of the step, the same on every rank but for its `seconds`; a source
        that finds its data spoiled raises."""


class Task(Protocol[Taken]):
    """What is trained."""

    @property
    def model(self) -> nn.Module:
        """Its parameters with `requires_grad` are what is trained, saved and restored."""

    def kinds(self) -> Mapping[str, ParameterKind]:
        """Of each trained parameter, which learning rate it takes."""

    def own_parameters(self) -> Mapping[str, nn.Parameter]:
        """Trained parameters outside the model (a temperature): every rank holds them, the loop adds up their gradients."""

    def wrapped(self, model: nn.Module) -> None:
        """The model as the ranks train it together: what `backward` goes through."""

    def count(self, batch: Taken) -> float:
        """What the batch's loss is to be divided by: queries, tokens, pairs."""

    def backward(self, batch: Taken, scale: float, sync: bool) -> dict[str, float]:
        """Gradients of `scale` times the summed loss; the sums for the log (`loss`, `count`, `tokens`, ...), equal names
        on every rank. `sync` on the last batch of a step: gradients meet the other ranks'."""

    def evaluate(self) -> dict[str, float]:
        """Metrics of the model as it is. Every rank calls it, every rank gets the same."""
