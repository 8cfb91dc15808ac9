"""Medals, differences, lists, fronts and summaries: by hand, and held against slow oracles."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.data.leaderboards.standing import Range, Standing
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.significance import wilson_interval
from ray_pipeline.reports.leaderboard.against import Baseline, differences, reference, time_digits
from ray_pipeline.reports.leaderboard.board import Board, board_of, pass_interval
from ray_pipeline.reports.leaderboard.content import leaderboard, signed
from ray_pipeline.reports.leaderboard.front import front
from ray_pipeline.reports.leaderboard.lists import LISTS, list_of, lists
from ray_pipeline.reports.leaderboard.names import listed
from ray_pipeline.reports.leaderboard.ranks import WORST, marks
from ray_pipeline.reports.leaderboard.summary import Group, better_than_all, groups, records

FEW = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=12)
"""Times and tenths of Pass@1 from a small set, so that ties are common."""


def standings(pairs: list[tuple[float, float]], benchmark: str = "b") -> list[Standing]:
    return [Standing(benchmark, f"m{number}", time, share, f"here:{number}") for number, (time, share) in enumerate(pairs)]


def board(**benchmarks: dict[str, tuple[float, float]]) -> Board:
    return board_of(
        Standing(name, model, time, share, f"{name}:{model}") for name, models in benchmarks.items() for model, (time, share) in models.items()
    )


def test_medals_by_hand() -> None:
    assert marks([5.0, 1.0, 3.0, 2.0, 4.0], higher_is_better=False) == [WORST, 1, 3, 2, 0]
    assert marks([5.0, 1.0, 3.0, 2.0, 4.0], higher_is_better=True) == [1, WORST, 3, 0, 2]
    assert marks([1.0, 1.0, 2.0, 2.0, 3.0, 9.0, 9.0], higher_is_better=False) == [1, 1, 2, 2, 3, WORST, WORST]
    assert marks([1.0, 2.0, 3.0], higher_is_better=False) == [1, 2, 3]  # no room for a worst
    assert marks([7.0, 7.0], higher_is_better=True) == [1, 1]


@given(st.lists(st.integers(0, 6), min_size=1), st.booleans())
def test_medals_count_better_values(values: list[int], higher: bool) -> None:
    found = marks([float(value) for value in values], higher_is_better=higher)
    for value, mark in zip(values, found, strict=True):
        better = {other for other in values if (other > value) == higher and other != value}
        last = all(other == value or other in better for other in values)
        assert mark == (len(better) + 1 if len(better) < 3 else WORST if last else 0)


def test_differences_by_hand() -> None:
    found = board(b={"base": (100.0, 0.5), "faster": (80.0, 0.4), "same": (100.0, 0.5), "nearly": (99.999, 0.50004), "slower": (110.0, 0.6)})
    against = reference(Baseline(("base",)), found.benchmarks["b"])
    assert against is not None
    assert (against.avg_time, against.pass_at_1) == (100.0, 0.5)
    rows = {one.standing.model: one for one in differences(found.benchmarks["b"], against)}
    assert list(rows) == ["faster", "same", "nearly", "slower"]  # the baseline itself has none
    assert (rows["faster"].avg_time, rows["faster"].speedup, round(rows["faster"].pass_at_1, 9)) == (-20.0, 1.25, -0.1)
    sides = {name: (one.avg_time_side, one.speedup_side, one.pass_at_1_side) for name, one in rows.items()}
    assert sides == {
        "faster": ("better", "better", "worse"),
        "same": (None, None, None),
        "nearly": (None, None, None),  # prints as 0.00, 1.00x, 0.0000
        "slower": ("worse", "worse", "better"),
    }


def test_the_best_of_a_set_is_taken_column_by_column() -> None:
    found = board(b={"a": (10.0, 0.1), "c": (20.0, 0.3), "x": (9.0, 0.2)})
    against = reference(Baseline(("a", "c", "gone")), found.benchmarks["b"])
    assert against is not None
    assert (against.avg_time, against.pass_at_1) == (10.0, 0.3)
    assert (against.fastest.model, against.most_correct.model, against.absent) == ("a", "c", ("gone",))
    assert [one.standing.model for one in differences(found.benchmarks["b"], against)] == ["a", "c", "x"]
    assert lists(found.benchmarks["b"], against)["faster only"] == ("x",)
    assert lists(found.benchmarks["b"], against)["neither"] == ()  # a and c are the baseline
    assert reference(Baseline(("gone",)), found.benchmarks["b"]) is None


def test_lists_are_strict() -> None:
    found = board(b={"base": (10.0, 0.5), "both": (9.0, 0.6), "fast": (9.0, 0.5), "right": (10.0, 0.6), "same": (10.0, 0.5)})
    against = reference(Baseline(("base",)), found.benchmarks["b"])
    assert against is not None
    assert lists(found.benchmarks["b"], against) == {
        "better on both": ("both",),
        "faster only": ("fast",),
        "more correct only": ("right",),
        "neither": ("same",),
    }


@given(FEW)
def test_every_model_is_on_one_list_and_lists_agree_with_differences(pairs: list[tuple[int, int]]) -> None:
    rows = board_of(standings([(float(time), tenths / 10) for time, tenths in pairs])).benchmarks["b"]
    against = reference(Baseline(("m0",)), rows)
    assert against is not None
    found = lists(rows, against)
    assert sorted(model for models in found.values() for model in models) == sorted(set(rows) - {"m0"})
    for one in differences(rows, against):
        name = list_of(one.standing, against)
        assert (one.avg_time_side == "better") == (name in LISTS[:2])
        assert (one.pass_at_1_side == "better") == (name in (LISTS[0], LISTS[2]))


@given(FEW)
def test_the_front_is_what_nothing_dominates(pairs: list[tuple[int, int]]) -> None:
    rows = standings([(float(time), tenths / 10) for time, tenths in pairs])
    dominated = {
        one.model
        for one, other in product(rows, rows)
        if other.avg_time <= one.avg_time and other.pass_at_1 >= one.pass_at_1 and (other.avg_time, other.pass_at_1) != (one.avg_time, one.pass_at_1)
    }
    found = front(rows)
    assert {one.model for one in found} == {one.model for one in rows} - dominated
    assert [one.avg_time for one in found] == sorted(one.avg_time for one in found)


def test_the_summary_groups_models_by_where_they_are() -> None:
    found = board(
        one={"base": (10.0, 0.5), "a": (9.0, 0.6), "b": (9.0, 0.6), "c": (9.0, 0.4)},
        two={"base": (10.0, 0.5), "a": (9.0, 0.6), "b": (11.0, 0.55), "d": (9.0, 0.6)},
        three={"a": (1.0, 0.5)},
    )
    told = records(found, Baseline(("base",)))
    assert {one.model: dict(one.lists) for one in told} == {
        "a": {"one": "better on both", "two": "better on both"},  # on three the baseline has no row
        "b": {"one": "better on both", "two": "more correct only"},
        "c": {"one": "faster only"},
        "d": {"two": "better on both"},
    }
    assert groups(told, "better on both") == [Group(("one", "two"), ("a",)), Group(("one",), ("b",)), Group(("two",), ("d",))]
    assert groups(told, "neither") == []
    assert better_than_all(found, [Baseline(("base",)), Baseline(("b",))]) == [Group(("two",), ("a", "d"))]


def test_a_model_twice_and_a_baseline_that_nobody_is() -> None:
    with pytest.raises(DataError, match=r"here:1: 'm' is on 'b' twice: here and at here:0 \(leave one of the rows"):
        board_of([Standing("b", "m", 1.0, 0.5, "here:0"), Standing("b", "m", 2.0, 0.5, "here:1")])
    with pytest.raises(DataError, match="there are no results"):
        board_of([])
    with pytest.raises(DataError, match=r"no row is of the model 'sft-baes' \(did you mean 'sft-base'\?\); the models are sft-base, x"):
        leaderboard(board(b={"sft-base": (1.0, 0.5), "x": (1.0, 0.5)}), [Baseline(("x", "sft-baes"))])


def test_intervals_are_given_or_wilsons() -> None:
    plain = Standing("b", "m", 1.0, 0.25, "here", problems=164)
    wilson = wilson_interval(41, 164)
    assert pass_interval(plain) == Range(wilson.low, wilson.high)
    assert pass_interval(Standing("b", "m", 1.0, 0.25, "here", Range(0.2, 0.3), problems=164)) == Range(0.2, 0.3)
    assert pass_interval(Standing("b", "m", 1.0, 0.25, "here")) is None
    for share in (0.0, 1.0, 0.004):
        found = pass_interval(Standing("b", "m", 1.0, share, "here", problems=100))
        assert found is not None
        assert found.low <= share <= found.high


def test_whether_intervals_are_apart() -> None:
    rows = {
        one.model: one
        for one in (
            Standing("b", "base", 1.0, 0.5, "here", Range(0.4, 0.6)),
            Standing("b", "apart", 1.0, 0.8, "here", Range(0.7, 0.9)),
            Standing("b", "near", 1.0, 0.65, "here", Range(0.55, 0.7)),
            Standing("b", "unknown", 1.0, 0.9, "here"),
        )
    }
    against = reference(Baseline(("base",)), rows)
    assert against is not None
    assert [one.intervals_apart for one in differences(rows, against)] == [True, False, None]


def test_times_are_printed_with_enough_digits() -> None:
    assert time_digits({one.model: one for one in standings([(103704.8, 0.1), (200000.0, 0.1)])}) == 2
    assert time_digits({one.model: one for one in standings([(0.00123, 0.1), (2.0, 0.1)])}) == 6
    assert signed(-0.00001, 2) == "0.00"
    assert signed(1.005, 2) == "+1.00"
    assert [listed(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
