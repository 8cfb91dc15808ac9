"""Rollouts as a source: the order of prompts, silent draws, weights before every draw, and the place after a stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

from ray_pipeline.config import parse
from ray_pipeline.errors import SettingsError, TrainingError
from ray_pipeline.tasks.grpo.batches import RolloutBatch
from ray_pipeline.tasks.grpo.source import RolloutSource
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.settings import TrainSettings

EMPTY = RolloutBatch(
    LearnedTokens(end_to_end([[1, 2]]), np.array([False, True])),
    np.zeros(1, dtype=np.int64),
    np.zeros(1, dtype=np.float32),
    np.zeros(1, dtype=np.float32),
)


class Told:
    """Notes what is asked of it; the draws in `silent` teach nothing."""

    def __init__(self, *silent: int) -> None:
        self.silent = silent
        self.notes: list[Any] = []

    def hand_over(self, step: int) -> None:
        self.notes.append(f"weights {step}")

    def draw(self, rows: NDArray[np.int64], number: int) -> RolloutBatch:
        self.notes.append((rows.tolist(), number))
        return replace(EMPTY, idle=number in self.silent)


def plan(epoch: int) -> list[NDArray[np.int64]]:
    """Four prompts in two batches, the other way round every second epoch."""
    order = [[0, 1], [2, 3]]
    return [np.array(one) for one in (order if epoch % 2 == 0 else order[::-1])]


def source(told: Told, **given: Any) -> RolloutSource:
    return RolloutSource(plan, told, parse(TrainSettings, {"batch_size": 2, "epochs": 2.0, **given}), Group(), most_silent=3)


def test_weights_are_handed_over_before_every_draw() -> None:
    told = Told()
    found = source(told)
    assert found.total_steps() == 4
    steps = []
    for number, step in enumerate(found, 1):
        steps.append((step.epoch, step.share_before, step.share_of_epoch))
        found.after_update(nn.Linear(1, 1), number)
    assert told.notes == ["weights 0", ([0, 1], 0), "weights 1", ([2, 3], 1), "weights 2", ([2, 3], 2), "weights 3", ([0, 1], 3)]
    assert steps == [(0, 0.0, 0.5), (0, 0.5, 1.0), (1, 0.0, 0.5), (1, 0.5, 1.0)]


def test_silent_draws_are_followed_by_the_next_prompts() -> None:
    told = Told(1, 2)
    assert len(list(source(told, max_steps=3, epochs=None))) == 3
    assert [note for note in told.notes if isinstance(note, tuple)] == [([0, 1], 0), ([2, 3], 1), ([2, 3], 2), ([0, 1], 3), ([0, 1], 4)]


def test_too_many_of_them_end_the_run_with_what_to_do() -> None:
    with pytest.raises(TrainingError, match=r"3 draws in a row taught nothing: .* reward parts of it"):
        list(source(Told(*range(9))))


def test_a_stopped_run_goes_on_with_the_next_prompts() -> None:
    whole, first, rest = Told(), Told(), Told()
    list(source(whole))
    begun = source(first)
    for _ in zip(range(3), begun, strict=False):
        state = begun.state_dict()
    again = source(rest)
    again.load_state_dict(state)
    list(again)
    drawn = [note for told in (first, rest) for note in told.notes if isinstance(note, tuple)]
    assert drawn == [note for note in whole.notes if isinstance(note, tuple)]
    assert rest.notes[0] == "weights 3"


@pytest.mark.parametrize(("given", "said"), [({"accumulate": 2}, "a draw is one step"), ({"epochs": 0.1}, "no batch of prompts can be made")])
def test_settings_that_make_no_step_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        source(Told(), **given)
