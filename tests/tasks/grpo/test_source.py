"""Rollouts as a source: the order of prompts, silent draws, weights before every draw, and the place after a stop."""

from __future__ import annotations

import json
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
from ray_pipeline.tasks.grpo.update_settings import UpdateSettings
from ray_pipeline.tasks.grpo.watch import Watch
from ray_pipeline.tasks.grpo.watch_settings import WatchSettings
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

ONCE = UpdateSettings()


class Told:
    """Notes what is asked of it; the draws in `silent` teach nothing."""

    def __init__(self, *silent: int) -> None:
        self.silent = silent
        self.notes: list[Any] = []

    def hand_over(self, step: int) -> None:
        self.notes.append(f"weights {step}")

    def ask(self, rows: NDArray[np.int64], number: int) -> int:
        self.notes.append((rows.tolist(), number))
        return number

    def let_go(self) -> None:
        self.notes.append("let go")

    def learn(self, asked: int, step: int) -> RolloutBatch:
        return replace(EMPTY, idle=asked in self.silent, advantages=np.full(1, asked, dtype=np.float32))


class Nowhere:
    """Keeps a batch in this process."""

    def __init__(self) -> None:
        self.held: dict[int, RolloutBatch] = {}

    def write(self, batch: RolloutBatch, draw: int) -> None:
        self.held = {draw: batch}

    def read(self, draw: int) -> RolloutBatch:
        return self.held[draw]


def plan(epoch: int) -> list[NDArray[np.int64]]:
    """Four prompts in two batches, the other way round every second epoch."""
    order = [[0, 1], [2, 3]]
    return [np.array(one) for one in (order if epoch % 2 == 0 else order[::-1])]


def source(told: Told, updates: UpdateSettings = ONCE, held: Nowhere | None = None, ahead: int = 0, **given: Any) -> RolloutSource[int]:
    watch = Watch(parse(WatchSettings, {"most_silent": 3, "first_steps": 1, "mismatch": {"action": "stop", "steps": 2}}), None, print)
    train = parse(TrainSettings, {"batch_size": 2, "epochs": 2.0, **given})
    return RolloutSource(plan, told, train, Group(), watch, updates, held or Nowhere(), ahead)


def row(step: int, mismatch: float = 0.0) -> dict[str, float]:
    """What the loop logs of a step."""
    return {"step": step, "entropy": 1.0, "answer_tokens": 5.0, "truncated": 0.0, "uniform": 0.0, "mismatch_kl": mismatch, "thought_tokens": 0.0}


def test_weights_are_handed_over_before_every_draw() -> None:
    told = Told()
    found = source(told)
    assert found.total_steps() == 4
    steps = []
    for number, step in enumerate(found, 1):
        steps.append((step.epoch, step.share_before, step.share_of_epoch))
        found.after_update(nn.Linear(1, 1), number, row(number))
    assert told.notes == ["weights 0", ([0, 1], 0), "weights 1", ([2, 3], 1), "weights 2", ([2, 3], 2), "weights 3", ([0, 1], 3)]
    assert steps == [(0, 0.0, 0.5), (0, 0.5, 1.0), (1, 0.0, 0.5), (1, 0.5, 1.0)]


def test_silent_draws_are_followed_by_the_next_prompts() -> None:
    told = Told(1, 2)
    assert len(list(source(told, max_steps=3, epochs=None))) == 3
    assert [note for note in told.notes if isinstance(note, tuple)] == [([0, 1], 0), ([2, 3], 1), ([2, 3], 2), ([0, 1], 3), ([0, 1], 4)]


def test_too_many_of_them_end_the_run_with_what_to_do() -> None:
    with pytest.raises(TrainingError, match=r"3 draws in a row \(watch.most_silent\) taught nothing: .* reward parts of it"):
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


def test_the_watch_is_told_of_each_step_and_remembers_over_a_stop() -> None:
    told, after = Told(), Told()
    first, again = source(told), source(after)
    first.after_update(nn.Linear(1, 1), 1, row(1))
    first.after_update(nn.Linear(1, 1), 2, row(2, mismatch=1.0))
    again.load_state_dict(json.loads(json.dumps(first.state_dict())))
    with pytest.raises(TrainingError, match=r"watch.mismatch: .*, at each step from 2 to 3\."):
        again.after_update(nn.Linear(1, 1), 3, row(3, mismatch=1.0))
    assert after.notes == []  # it does not draw on


def test_the_time_for_rollouts_holds_silent_draws_and_new_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    class Slow(Told):
        def hand_over(self, step: int) -> None:
            now[0] += 10

        def ask(self, rows: NDArray[np.int64], number: int) -> int:
            now[0] += 1
            return super().ask(rows, number)

    monkeypatch.setattr("ray_pipeline.tasks.grpo.source.time.monotonic", lambda: now[0])
    found, seconds = source(Slow(1, 2), max_steps=3, epochs=None), []
    for number, step in enumerate(found, 1):
        seconds.append(step.batches[0].figures["rollout_seconds"])
        now[0] += 100  # the update's
        found.after_update(nn.Linear(1, 1), number, row(number))
    assert seconds == [11.0, 13.0, 11.0]


def test_a_draw_is_learned_from_in_parts_and_passes_and_then_there_are_new_weights() -> None:
    told = Told()
    found = source(told, UpdateSettings(passes=2, parts=2))
    assert found.total_steps() == 16
    shares = []
    for number, step in enumerate(found, 1):
        shares.append((int(step.batches[0].advantages[0]), step.epoch, step.share_before, step.share_of_epoch, step.batches[0].idle))
        found.after_update(nn.Linear(1, 1), number, row(number))
    assert told.notes == ["weights 0", ([0, 1], 0), "weights 4", ([2, 3], 1), "weights 8", ([2, 3], 2), "weights 12", ([0, 1], 3)]
    assert [one[0] for one in shares] == [draw for draw in range(4) for _ in range(4)]
    assert [one[1:4] for one in shares[:5]] == [(0, 0, 0.125), (0, 0.125, 0.25), (0, 0.25, 0.375), (0, 0.375, 0.5), (0, 0.5, 0.625)]
    assert shares[-1][1:4] == (1, 0.875, 1.0)
    assert [one[4] for one in shares[:4]] == [False] * 4  # one group makes one part, which comes again


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_run_that_is_stopped_between_the_updates_of_a_draw_makes_those_that_are_left(stop: int) -> None:
    def learned(found: RolloutSource[int], most: int) -> list[tuple[float, float]]:
        steps = []
        for step, _ in zip(found, range(most), strict=False):
            steps.append((float(step.batches[0].advantages[0]), step.share_of_epoch))
            if len(steps) == most:
                break
        return steps

    twice = UpdateSettings(passes=2)
    whole = learned(source(Told(), twice), 8)
    held, first, rest = Nowhere(), Told(1), Told(1)
    begun = source(first, twice, held)
    before = learned(begun, stop)
    again = source(rest, twice, held)
    again.load_state_dict(json.loads(json.dumps(begun.state_dict())))
    silent = learned(source(Told(1), twice), 8)
    assert [*before, *learned(again, 8)] == silent
    assert len(whole) == len(silent) == 8
    asked = [note for told in (first, rest) for note in told.notes if isinstance(note, tuple)]
    assert len(asked) == len({number for _, number in asked}), "a draw was made twice"


def test_draws_ahead_begin_with_older_weights_and_no_older_than_allowed() -> None:
    told = Told()
    found = source(told, ahead=1)
    steps = []
    for number, step in enumerate(found, 1):
        steps.append(int(step.batches[0].advantages[0]))
        found.after_update(nn.Linear(1, 1), number, row(number))
    assert steps == [0, 1, 2, 3]
    assert [note for note in told.notes if isinstance(note, tuple)] == [([0, 1], 0), ([2, 3], 1), ([2, 3], 2), ([0, 1], 3)]
    begun, version = {}, -1
    for note in told.notes:
        if isinstance(note, str):
            version = int(note.split()[1])
        else:
            begun[note[1]] = version
    assert all(draw - 1 <= version <= draw for draw, version in begun.items()), begun  # newer ones where the step was done before the draw began


@pytest.mark.parametrize(("given", "said"), [({"accumulate": 2}, "a draw is one step"), ({"epochs": 0.1}, "no batch of prompts can be made")])
def test_settings_that_make_no_step_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        source(Told(), **given)
