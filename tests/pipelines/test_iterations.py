"""Iterations written once become plain steps that read the right ones."""

from __future__ import annotations

from typing import Any

import pytest

from ray_pipeline.errors import SettingsError
from ray_pipeline.pipelines.iterations import with_iterations

LOOP: dict[str, Any] = {
    "first": {"mine": {"kind": "mine"}, "train": {"kind": "train_embedder", "groups": "mine"}, "judge": {"kind": "train_reranker", "groups": "mine"}},
    "each": {
        "mine": {"kind": "mine", "model": "previous.train"},
        "scored": {"kind": "score", "groups": "mine", "reranker": "previous.judge"},
        "train": {"kind": "train_embedder", "groups": "scored", "model": "base"},
        "judge": {"kind": "train_reranker", "groups": "scored"},
    },
}
AFTER = {"after": {"kind": "evaluate", "model": "last.train", "rerankers": ["last.judge", "base"], "against": "before"}}


def test_by_hand() -> None:
    found = with_iterations({"iterations": {"count": 3, **LOOP}, "steps": AFTER, "data": {}})
    assert found["data"] == {}
    assert "iterations" not in found
    assert list(found["steps"]) == [
        *("iter0_mine", "iter0_train", "iter0_judge"),
        *(f"iter{number}_{name}" for number in (1, 2) for name in ("mine", "scored", "train", "judge")),
        "after",
    ]
    assert found["steps"]["iter0_train"]["groups"] == "iter0_mine"
    assert found["steps"]["iter2_mine"]["model"] == "iter1_train"
    assert found["steps"]["iter1_scored"] == {"kind": "score", "groups": "iter1_mine", "reranker": "iter0_judge"}
    assert found["steps"]["iter1_train"]["model"] == "base"
    assert found["steps"]["after"] == {"kind": "evaluate", "model": "iter2_train", "rerankers": ["iter2_judge", "base"], "against": "before"}


def test_one_iteration_needs_no_later_ones() -> None:
    found = with_iterations({"iterations": {"first": LOOP["first"]}, "steps": {"after": {"kind": "evaluate", "model": "last.train"}}})
    assert found["steps"]["after"]["model"] == "iter0_train"


def test_without_iterations_nothing_changes() -> None:
    assert with_iterations({"steps": AFTER}) == {"steps": AFTER}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iterations": {"count": 0, **LOOP}}, "iterations.count=0: how many there are, 1 or more"),
        ({"iterations": {"count": 2, "first": LOOP["first"]}}, "iterations.each says nothing"),
        ({"iterations": {"count": 1, **LOOP, "then": {}}}, "takes count, first .* and each"),
        ({"iterations": {"first": {"mine": {"model": "previous.train"}}}}, "nothing comes before the first iteration"),
        (
            {"iterations": {"count": 2, **LOOP, "each": {"mine": {"model": "previous.traim"}}}},
            "has no step 'traim'; it has mine, train, judge",
        ),
        ({"iterations": {"count": 2, **LOOP}, "steps": {"after": {"model": "last.x"}}}, "the last iteration has no step 'x'"),
        ({"iterations": {"count": 2, **LOOP}, "steps": {"iter1_mine": {}}}, r"steps\.iter1_mine: an iteration has a step of this name"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        with_iterations({"steps": {}, **changes})
