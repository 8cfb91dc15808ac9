"""Steps out of shuffled rows: how many, in what order, from where on, and what cannot be made into steps."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.training.epochs import EpochSource
from ray_pipeline.training.settings import TrainSettings
from ray_pipeline.training.task import Step
from tests.training.toy import settings_of, source_of

Rows = NDArray[np.int64]
Taken = tuple[int, list[list[int]], float, float]


def made(sizes: list[list[int]], settings: TrainSettings) -> EpochSource[Rows]:
    """Batches of given sizes; epoch e's rows are 1000 e, 1000 e + 1, ... in order."""

    def plan(epoch: int) -> list[Rows]:
        bounds = np.cumsum([0, *sizes[epoch % len(sizes)]]) + 1000 * epoch
        return [np.arange(low, high) for low, high in itertools.pairwise(bounds)]

    return EpochSource(plan, lambda rows, epoch: rows, settings)


def taken(steps: Iterator[Step[Rows]]) -> list[Taken]:
    return [(step.epoch, [batch.tolist() for batch in step.batches], step.share_before, step.share_of_epoch) for step in steps]


def test_steps_of_two_batches_the_last_of_an_epoch_short() -> None:
    source = made([[2, 2, 1], [2]], settings_of(epochs=2.0, accumulate=2))
    assert source.total_steps() == 3
    assert taken(iter(source)) == [
        (0, [[0, 1], [2, 3]], 0.0, 0.5),
        (0, [[4]], 0.5, 1.0),
        (1, [[1000, 1001]], 0.0, 1.0),
    ]


@pytest.mark.parametrize(
    ("epochs", "max_steps", "steps"),
    [
        (1.0, None, 5),
        (2.5, None, 13),  # 5 + 5 + ceil(2.5)
        (0.2, None, 1),
        (0.21, None, 2),
        (2.2, None, 11),  # in floats 2.2 - 2 is more than 0.2, and would be two steps
        (3.0, 7, 7),
        (1.0, 7, 5),
        (None, 12, 12),
    ],
)
def test_how_many_steps(epochs: float | None, max_steps: int | None, steps: int) -> None:
    source = made([[1] * 10], settings_of(epochs=epochs, max_steps=max_steps, batch_size=1))
    assert source.total_steps() == steps
    assert len(list(source)) == steps


@examples(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=7), min_size=1, max_size=3),
    accumulate=st.integers(1, 3),
    epochs=st.integers(1, 30).map(lambda tenths: tenths / 10),
    cut=st.integers(0, 30),
)
def test_every_batch_comes_once_an_epoch_and_a_resumed_source_goes_on(sizes: list[list[int]], accumulate: int, epochs: float, cut: int) -> None:
    """Against a plain list of all steps; cut anywhere."""
    settings = settings_of(epochs=epochs, accumulate=accumulate)
    expected: list[list[list[int]]] = []
    for epoch in range(-(-round(epochs * 10) // 10)):
        bounds = np.cumsum([0, *sizes[epoch % len(sizes)]]) + 1000 * epoch
        batches = [list(range(low, high)) for low, high in itertools.pairwise(bounds)]
        steps = [batches[start : start + accumulate] for start in range(0, len(batches), accumulate)]
        share = min(10, round(epochs * 10) - 10 * epoch)
        expected += steps[: -(-share * len(steps) // 10)]
    whole = made(sizes, settings)
    assert whole.total_steps() == len(expected)
    assert [batches for _, batches, *_ in taken(iter(whole))] == expected

    first = made(sizes, settings)
    done: list[Any] = []
    for step in first:
        done.append(step)
        if len(done) == cut:
            break
    again = made(sizes, settings)
    again.load_state_dict(first.state_dict())
    assert [[batch.tolist() for batch in step.batches] for step in (*done, *again)] == expected


def test_the_state_is_the_place_behind_the_step_that_was_taken_not_behind_the_one_made_ready() -> None:
    source = made([[1, 1, 1]], settings_of(epochs=2.0, accumulate=1))
    steps = iter(source)
    assert source.state_dict() == {"epoch": 0, "step": 0, "taken": 0}
    next(steps)
    assert source.state_dict() == {"epoch": 0, "step": 1, "taken": 1}
    next(steps), next(steps)
    assert source.state_dict() == {"epoch": 1, "step": 0, "taken": 3}
    steps.close()  # type: ignore[attr-defined]


def test_epochs_differ() -> None:
    settings = settings_of()
    first, second = (
        [row for step in source_of(settings) if step.epoch == epoch for batch in step.batches for row in batch.tolist()] for epoch in (0, 1)
    )
    assert sorted(first) == sorted(second) and first != second


def test_the_next_step_is_made_while_the_present_one_trains() -> None:
    settings, second = settings_of(epochs=1.0, accumulate=1), threading.Event()

    def make(rows: Rows, epoch: int) -> Rows:
        if rows[0] == 1:
            second.set()
        return rows

    for step in EpochSource(lambda epoch: [np.arange(at, at + 1) for at in range(3)], make, settings):
        if step.batches[0][0] == 0:
            assert second.wait(10), "nobody made the second step while the first was under way"


def test_an_error_of_the_thread_comes_to_the_loop_with_its_words() -> None:
    def make(rows: Rows, epoch: int) -> Rows:
        if rows[0] == 2:
            raise DataError("row 2 is broken")
        return rows

    source = EpochSource(lambda epoch: [np.arange(at, at + 1) for at in range(5)], make, settings_of(epochs=1.0, accumulate=1))
    seen: list[int] = []
    with pytest.raises(DataError, match="row 2 is broken"):
        seen.extend(int(step.batches[0][0]) for step in source)
    assert seen == [0, 1]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("next-step")]


def test_no_thread_stays_when_the_loop_leaves_early() -> None:
    steps = iter(made([[1] * 5], settings_of(accumulate=1)))
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("next-step")]


def test_batches_smaller_than_the_ranks_are_left_out() -> None:
    source = made([[4, 4, 1], [2, 4]], settings_of(epochs=2.0, accumulate=1, distributed={"workers": 2}))
    assert [list(batches) for _, batches, *_ in taken(iter(source))] == [
        [[0, 1, 2, 3]],
        [[4, 5, 6, 7]],
        [[1000, 1001]],
        [[1002, 1003, 1004, 1005]],
    ]


@pytest.mark.parametrize("length", [{"epochs": 1.0}, {"epochs": None, "max_steps": 5}])
def test_data_without_a_batch_for_all_ranks_are_refused_before_the_first_step(length: dict[str, Any]) -> None:
    settings = settings_of(batch_size=4, distributed={"workers": 4}, **length)
    with pytest.raises(SettingsError, match="epoch 0 has no batch with a row for each of 4 workers; raise train.batch_size"):
        made([[3, 2]], settings)


def test_an_epoch_is_planned_once_while_it_is_trained() -> None:
    planned: list[int] = []

    def plan(epoch: int) -> list[Rows]:
        planned.append(epoch)
        return [np.arange(2), np.arange(2)]

    source = EpochSource(plan, lambda rows, epoch: rows, settings_of(epochs=3.0, accumulate=1))
    assert planned == [0, 1, 2]  # for the count
    list(source)
    assert planned == [0, 1, 2, 0, 1, 2]


def test_weights_do_not_move_it() -> None:
    source = made([[1]], settings_of(epochs=1.0, accumulate=1))
    before = source.state_dict()
    source.after_update(nn.Linear(1, 1), 1, {})
    assert source.state_dict() == before
