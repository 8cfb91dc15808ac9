"""Where a run stands: the best, patience, and that JSON keeps it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from ray_pipeline.config import parse
from ray_pipeline.training.run_state import RunState
from ray_pipeline.training.settings import EvaluationSettings


def after(values: list[float], **given: Any) -> tuple[RunState, list[bool]]:
    """The state after these evaluations at steps 1, 2, ..., and whether patience was out after each."""
    settings = parse(EvaluationSettings, {"patience": 2, **given})
    state, out = RunState(), []
    for step, value in enumerate(values, 1):
        state.step = step
        state.evaluated(value, settings)
        out.append(state.out_of_patience(settings))
    return state, out


@pytest.mark.parametrize(
    ("values", "given", "best", "out"),
    [
        ([0.1, 0.5, 0.2, 0.4], {}, (2, 0.5), [False, False, False, True]),
        ([0.1, 0.5, 0.2, 0.6], {}, (4, 0.6), [False] * 4),
        ([0.5, 0.5, 0.5], {}, (1, 0.5), [False, False, True]),  # as good is not better
        ([3.0, 2.0, 2.5], {"greater_is_better": False}, (2, 2.0), [False] * 3),
        ([math.nan, 0.1, math.nan], {}, (2, 0.1), [False] * 3),  # what is no number is never the best
        ([math.inf, 0.1], {}, (2, 0.1), [False] * 2),
        ([-math.inf, 2.0], {"greater_is_better": False}, (2, 2.0), [False] * 2),
        ([math.nan, math.nan], {}, (None, None), [False, True]),
        # gains of 0.02, each too small for min_delta: the best moves with each, patience with every second
        ([0.10, 0.12, 0.14, 0.16], {"min_delta": 0.03}, (4, 0.16), [False] * 4),
        ([0.100, 0.104, 0.108, 0.112], {"min_delta": 0.03}, (4, 0.112), [False, False, True, True]),
    ],
)
def test_the_best_and_patience(values: list[float], given: dict[str, Any], best: tuple[int | None, float | None], out: list[bool]) -> None:
    state, found = after(values, **given)
    assert ((state.best_step, state.best_value), found) == (best, out)


def test_without_patience_it_never_stops() -> None:
    assert after([0.5] + [0.1] * 50, patience=None)[1] == [False] * 51


def test_json_keeps_all_but_the_history() -> None:
    state, _ = after([0.1, 0.5, 0.2])
    state.epoch_steps["0"] = 3
    state.ended, state.why = "early stop", "no better"
    state.history = [{"kind": "step", "step": 1, "loss": 2.0}]
    written = json.loads(json.dumps(state.as_json()))
    assert "history" not in written
    assert RunState.from_json({**written, "source": {}, "guard": None}, state.history) == state


def test_the_train_loss_is_the_mean_since_the_evaluation_before() -> None:
    state = RunState()
    assert state.train_loss() == {}
    state.history = [{"kind": "step", "loss": 9.0}, {"kind": "evaluation"}, {"kind": "step", "loss": 1.0}, {"kind": "step", "loss": 2.0}]
    assert state.train_loss() == {"train_loss": 1.5}
