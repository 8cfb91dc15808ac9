"""Runs together: figures by hand, and when a difference may be called one."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.tools.runs import ToolModel, Verdicts, differences, verdicts_of


def model(name: str, right: NDArray[np.bool_], category: str = "multi_turn_base", **more: object) -> ToolModel:
    entries = tuple(f"{category}_{number}" for number in range(len(right)))
    return ToolModel(name, {category: Verdicts(category, entries, right)}, **{"asked": right.shape[1], **more})  # type: ignore[arg-type]


def drawn(share: float, seed: int, entries: int = 200, runs: int = 5) -> NDArray[np.bool_]:
    """Entries that are hard or easy for everybody, in runs that vary a little."""
    hard = np.random.default_rng(0).random((entries, 1))
    return hard + np.random.default_rng(seed).normal(0, 0.03, (entries, runs)) < share


def test_figures_by_hand() -> None:
    found = Verdicts("simple_python", ("a", "b", "c", "d"), np.array([[1, 1], [1, 0], [0, 0], [1, 0]], bool))
    assert found.by_run == (0.75, 0.25)
    assert found.mean == 0.5
    assert found.spread == pytest.approx(sqrt(0.125))  # of 0.75 and 0.25, divided by one less than their number
    assert found.error == pytest.approx(0.25)  # sqrt(0.5 * 0.5 / 4), however many runs
    assert Verdicts("simple_python", ("a",), np.array([[True]])).spread is None


def test_rows_of_runs_become_verdicts_by_category() -> None:
    rows = [{"category": name, "task_id": f"{name}{number}", "right": number == 0} for name in ("multiple", "parallel") for number in range(2)]
    others = [{**row, "right": True} for row in rows]
    found = verdicts_of([rows, others])
    assert list(found) == ["multiple", "parallel"]
    assert found["parallel"].entries == ("parallel0", "parallel1")
    assert found["parallel"].right.tolist() == [[True, True], [False, True]]
    with pytest.raises(DataError, match="run 1 has other entries than run 0"):
        verdicts_of([rows, rows[:-1]])


def test_verdicts_that_do_not_fit_their_entries_are_refused() -> None:
    with pytest.raises(DataError, match="verdicts of shape"):
        Verdicts("multiple", ("a", "b"), np.array([[True]]))
    with pytest.raises(DataError, match="verdicts of shape"):
        Verdicts("multiple", (), np.zeros((0, 3), bool))


def test_a_clear_difference_is_called_one_in_both_directions() -> None:
    strong, weak = model("full4", drawn(0.47, 1)), model("baseline", drawn(0.27, 2))
    (found,) = differences(strong, weak)
    assert found.real
    assert found.sentence().startswith("multi_turn_base: full4 is better than baseline by ")
    (back,) = differences(weak, strong)
    assert back.sentence().startswith("multi_turn_base: baseline is worse than full4 by ")
    assert "200 entries paired, 5 and 5 runs" in back.sentence()


def test_what_drawing_anew_changes_is_not_called_a_difference() -> None:
    """The same model twice, many times over: a difference is claimed no more often than the level says, with room for chance."""
    called = 0
    for seed in range(40):
        (found,) = differences(model("again", drawn(0.27, 2 * seed)), model("baseline", drawn(0.27, 2 * seed + 1)))
        called += found.real
        if not found.real:
            assert "no difference shown between again and baseline" in found.sentence()
            assert "inside the noise" in found.sentence()
    assert called <= 6


def test_one_entry_more_is_inside_the_noise() -> None:
    right = drawn(0.27, 1, runs=1)
    more = right.copy()
    more[int(np.flatnonzero(~right[:, 0])[0])] = True
    (found,) = differences(model("lora3", more), model("baseline", right))
    assert not found.real
    assert "+0.5 points are inside the noise" in found.sentence()


def test_few_entries_show_nothing() -> None:
    (found,) = differences(model("new", np.ones((10, 2), bool)), model("old", np.zeros((10, 2), bool)))
    assert found.found.shown
    assert not found.real
    assert "Fewer than 30 entries show nothing" in found.sentence()


def test_other_entries_and_other_categories_are_refused() -> None:
    with pytest.raises(DataError, match="new answered 10 entries and old 9, not the same ones"):
        differences(model("new", np.ones((10, 1), bool)), model("old", np.ones((9, 1), bool)))
    with pytest.raises(DataError, match="new was asked parallel and old multi_turn_base: no category of both"):
        differences(model("new", np.ones((10, 1), bool), "parallel"), model("old", np.ones((10, 1), bool)))


def test_status_says_how_many_runs_of_those_asked_for_are_done() -> None:
    assert model("verl1", np.ones((4, 3), bool), asked=5).status == "3 of 5 runs"
    assert ToolModel("verl7", {}, 5).status == "0 of 5 runs"
