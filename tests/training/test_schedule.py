from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

from ray_pipeline.errors import SettingsError
from ray_pipeline.training.schedule import lr_share, set_lr, warmup_steps
from ray_pipeline.training.settings import ScheduleSettings


def settings(kind: str, **values: float) -> ScheduleSettings:
    return ScheduleSettings.model_validate({"kind": kind, **values})


def test_hand_computed_shares() -> None:
    def shares(kind: str, **values: float) -> list[float]:
        return [lr_share(step, 10, settings(kind, warmup_steps=2, **values)) for step in (0, 1, 2, 4, 6, 10)]

    # two steps up, eight steps down: a quarter and a half of the way after steps 4 and 6
    assert shares("linear") == [0.0, 0.5, 1.0, 0.75, 0.5, 0.0]
    assert shares("linear", end_share=0.2) == pytest.approx([0.0, 0.5, 1.0, 0.8, 0.6, 0.2], abs=1e-15)
    assert shares("constant") == [0.0, 0.5, 1.0, 1.0, 1.0, 1.0]
    assert shares("cosine") == pytest.approx([0.0, 0.5, 1.0, (1 + math.sqrt(0.5)) / 2, 0.5, 0.0], abs=1e-15)
    assert shares("cosine", end_share=0.2) == pytest.approx([0.0, 0.5, 1.0, 0.2 + 0.4 * (1 + math.sqrt(0.5)), 0.6, 0.2], abs=1e-15)


@pytest.mark.parametrize(("kind", "make"), [("cosine", get_cosine_schedule_with_warmup), ("linear", get_linear_schedule_with_warmup)])
@pytest.mark.parametrize(("warm", "total"), [(0, 1), (0, 7), (3, 50), (50, 50), (1, 333)])
def test_the_rates_are_those_of_transformers_to_the_last_bit(kind: str, make: object, warm: int, total: int) -> None:
    assert_same_rates(lambda optimizer: make(optimizer, warm, total), settings(kind, warmup_steps=warm), total)  # type: ignore[operator]


def test_constant_and_a_rate_to_end_at_are_those_of_transformers_too() -> None:
    assert_same_rates(lambda optimizer: get_constant_schedule_with_warmup(optimizer, 5), settings("constant", warmup_steps=5), 20)
    assert_same_rates(
        lambda optimizer: get_cosine_with_min_lr_schedule_with_warmup(optimizer, 5, 40, min_lr_rate=0.1),
        settings("cosine", warmup_steps=5, end_share=0.1),
        40,
    )


def assert_same_rates(make: object, ours: ScheduleSettings, total: int) -> None:
    """Over two groups with peaks of their own, step by step; ours is asked in any order, since it has no state."""
    peaks = (2e-5, 8e-5)
    theirs = torch.optim.AdamW([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": peak} for peak in peaks], lr=1.0)
    schedule = make(theirs)  # type: ignore[operator]
    mine = torch.optim.AdamW([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": peak, "initial_lr": peak} for peak in peaks], lr=1.0)
    expected = []
    for _ in range(total + 1):
        expected.append([group["lr"] for group in theirs.param_groups])
        theirs.step()
        schedule.step()
    for step in reversed(range(total + 1)):
        set_lr(mine, lr_share(step, total, ours))
        assert [group["lr"] for group in mine.param_groups] == expected[step], step


def test_past_the_end_the_rate_stays_where_it_ended() -> None:
    assert [lr_share(step, 10, settings("cosine", end_share=0.3)) for step in (10, 11, 15, 1000)] == [0.3] * 4
    assert lr_share(12, 10, settings("linear")) == 0.0


def test_a_share_of_the_steps_is_the_decimal_it_was_written_as() -> None:
    assert math.ceil(0.07 * 100) == 8  # the trap
    assert warmup_steps(settings("cosine", warmup_share=0.07), 100) == 7
    assert [warmup_steps(settings("cosine", warmup_share=0.15), total) for total in (1, 20, 21)] == [1, 3, 4]
    assert warmup_steps(settings("cosine"), 100) == 0
    assert warmup_steps(settings("cosine", warmup_share=1.0), 100) == 100


def test_a_warm_up_longer_than_the_run_is_refused_with_both_numbers() -> None:
    with pytest.raises(SettingsError, match=r"warmup_steps=101 is longer than the run of 100 steps"):
        lr_share(0, 100, settings("linear", warmup_steps=101))
    assert lr_share(99, 100, settings("linear", warmup_steps=100)) == 0.99


@given(st.sampled_from(["cosine", "linear", "constant"]), st.integers(1, 300), st.floats(0, 1), st.floats(0, 1))
def test_shares_rise_to_one_and_fall_to_the_end(kind: str, total: int, warm: float, end: float) -> None:
    end = 0.0 if kind == "constant" else end
    chosen = settings(kind, warmup_share=warm, end_share=end)
    peak = warmup_steps(chosen, total)
    shares = [lr_share(step, total, chosen) for step in range(total + 1)]
    assert all(0 <= share <= 1 for share in shares)
    assert shares[:peak] == sorted(shares[:peak])
    assert all(after <= before + 1e-12 for before, after in zip(shares[peak:], shares[peak + 1 :], strict=False))
    if peak < total:
        assert shares[peak] == pytest.approx(1.0)
        assert shares[-1] == pytest.approx(1.0 if kind == "constant" else end)
