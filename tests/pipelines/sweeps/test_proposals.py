"""What is tried next: the same however often the sweep was interrupted, and better than chance where it learns."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.sweeps.proposals import GridSearch, OptunaSearch, Proposals, RandomSearch, proposals
from ray_pipeline.pipelines.sweeps.space import Choice, Integers, LogUniform, QUniform, Space, Uniform

SPACE: Space = {
    "lr": LogUniform(low=1e-6, high=1e-2),
    "share": Uniform(low=0, high=1),
    "step": QUniform(low=0, high=1, step=0.25),
    "kind": Choice(values=["linear", ["a", "list"], None]),
}


def drawn(search: Any, space: Space = SPACE, count: int = 6) -> list[dict[str, Any]]:
    one = proposals(search, space, greater_is_better=True)
    return [one.propose(number) for number in range(count)]


def test_random_draws_are_a_function_of_seed_trial_and_key_alone() -> None:
    first = drawn(RandomSearch(trials=6, seed=1))
    assert first == drawn(RandomSearch(trials=6, seed=1))
    assert first[4] == proposals(RandomSearch(trials=6, seed=1), SPACE, greater_is_better=False).propose(4)  # whatever was asked before
    assert first != drawn(RandomSearch(trials=6, seed=2))
    assert len({str(one) for one in first}) == 6
    fewer = drawn(RandomSearch(trials=6, seed=1), {"lr": SPACE["lr"]})
    assert [one["lr"] for one in fewer] == [one["lr"] for one in first]


def test_the_grid_has_every_combination_once_the_last_key_fastest() -> None:
    space: Space = {"a": Integers(low=1, high=2), "b": QUniform(low=0, high=1, step=0.5), "c": Choice(values=["x", "y"])}
    one = proposals(GridSearch(), space, greater_is_better=True)
    assert one.count == 12
    found = [one.propose(number) for number in range(12)]
    assert [tuple(values.values()) for values in found] == list(itertools.product([1, 2], [0.0, 0.5, 1.0], ["x", "y"]))
    assert found[1] == {"a": 1, "b": 0.0, "c": "y"}


def test_a_grid_over_real_numbers_is_refused() -> None:
    with pytest.raises(SettingsError, match="sweep.space.lr: a grid needs points; kind=loguniform has none"):
        proposals(GridSearch(), SPACE, greater_is_better=True)


def height(values: dict[str, Any]) -> float:
    return -((values["share"] - 0.3) ** 2) - (values["step"] - 0.75) ** 2


def one_at_a_time(search: OptunaSearch, upto: int, known: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    one = proposals(search, SPACE, greater_is_better=True)
    found = list(known)
    for number, values in enumerate(found):
        one.begin(number, values)
        one.tell(number, (), height(values))
    for number in range(len(found), upto):
        found.append(one.propose(number))
        one.begin(number, found[-1])
        one.tell(number, (), height(found[-1]))
    return found


def test_optuna_proposes_the_same_after_every_interruption_where_one_trial_runs_at_a_time() -> None:
    search = OptunaSearch(trials=12, seed=3, startup=4)
    whole = one_at_a_time(search, 12)
    for killed_after in (1, 5, 9):
        assert one_at_a_time(search, 12, whole[:killed_after]) == whole
    assert whole != one_at_a_time(OptunaSearch(trials=12, seed=4, startup=4), 12)


def test_optuna_learns_and_in_the_direction_it_was_told() -> None:
    def later(greater: bool) -> float:
        one = proposals(OptunaSearch(trials=40, seed=0, startup=8), SPACE, greater_is_better=greater)
        heights = []
        for number in range(40):
            values = one.propose(number)
            one.begin(number, values)
            one.tell(number, (), height(values))
            heights.append(height(values))
        return sum(heights[20:]) / 20

    assert later(True) > -0.1 > -0.3 > later(False)


def sure(search: Proposals, number: int, share: float, *, curve: Sequence[tuple[int, float]] = (), value: float | None) -> None:
    search.begin(number, {"lr": 1e-4, "share": share, "step": 0.5, "kind": None})
    search.tell(number, curve, value)


def test_optuna_keeps_away_from_what_collapsed_or_was_stopped() -> None:
    """Half of the space collapsed without any figure: what is proposed then lies in the other."""
    one = proposals(OptunaSearch(trials=40, seed=0, startup=4), SPACE, greater_is_better=True)
    for number in range(12):
        share = number / 12
        sure(one, number, share, value=None if share >= 0.5 else 0.5)
    proposed = [one.propose(number)["share"] for number in range(12, 32)]
    assert sum(share < 0.5 for share in proposed) >= 16
