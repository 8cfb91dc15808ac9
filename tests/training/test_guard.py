from __future__ import annotations

import json
import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.training.guard import Guard, StepFacts, Verdict
from ray_pipeline.training.settings import GuardSettings

CHANCE = math.log(1024)
FIXED = {"chance_loss": CHANCE, "off_diagonal_cosine": 0.3}


def guard(warmup_steps: int = 0, **changes: float) -> Guard:
    return Guard(GuardSettings.model_validate(changes), lr=1e-3, warmup_steps=warmup_steps, metric="map@25")


def first_verdict(watching: Guard, facts: Iterable[StepFacts]) -> Verdict | None:
    return next((verdict for one in facts if (verdict := watching.step(one)) is not None), None)


def losses(values: Iterable[float], start: int = 1) -> list[StepFacts]:
    return [StepFacts(step, loss, 1.0, **FIXED) for step, loss in enumerate(values, start)]


def cosines(values: Iterable[float]) -> list[StepFacts]:
    return [StepFacts(step, 2.0, 1.0, CHANCE, cosine) for step, cosine in enumerate(values, 1)]


def norms(values: Iterable[float]) -> list[StepFacts]:
    return [StepFacts(step, 2.0, norm, CHANCE, 0.3) for step, norm in enumerate(values, 1)]


# not_finite


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_or_gradient_that_is_no_number_stops_at_once(bad: float) -> None:
    assert guard().step(StepFacts(1, 2.0, 1.0)) is None
    by_loss, by_norm = guard().step(StepFacts(7, bad, 1.0)), guard().step(StepFacts(7, 2.0, bad))
    assert by_loss is not None and by_loss.kind == "not_finite" and by_loss.step == 7
    assert str(by_loss).startswith(f"the loss is {bad} at step 7")
    assert "optimizer.lr (now 0.001)" in by_loss.remedy
    assert by_norm is not None and by_norm.reason.startswith(f"the gradient norm is {bad} (the loss is 2)")
    by_cosine, by_figure = guard().step(StepFacts(7, 2.0, 1.0, CHANCE, bad)), guard().evaluated(7, bad)
    assert by_cosine is not None and by_cosine.kind == "not_finite" and "mean cosine" in by_cosine.reason
    assert by_figure is not None and by_figure.kind == "not_finite" and "map@25" in by_figure.reason


# stuck


def test_a_loss_that_stays_at_chance_is_stuck_after_exactly_so_many_steps() -> None:
    watching = guard(stuck_steps=200)
    assert first_verdict(watching, losses([6.93] * 199)) is None
    found = watching.step(StepFacts(200, 6.93, 1.0, **FIXED))
    assert found is not None and found.kind == "stuck" and found.step == 200
    assert found.reason == "the loss stayed within 2% of ln(1,024)=6.93 for 200 steps (now 6.9300): no pair is told from another."
    assert "optimizer.lr (now 0.001)" in found.remedy


def test_the_warm_up_does_not_count_as_stuck() -> None:
    watching = guard(warmup_steps=500, stuck_steps=100)
    found = first_verdict(watching, losses([6.93] * 1000))
    assert found is not None and found.step == 600


def test_a_run_that_fell_to_chance_late_is_stuck_too() -> None:
    healthy = [7.5 * math.exp(-step / 100) for step in range(300)]
    found = first_verdict(guard(stuck_steps=100), losses([*healthy, *[6.94] * 200]))
    assert found is not None and found.kind == "stuck" and found.step == 400


def test_noise_within_the_tolerance_is_stuck_and_beyond_it_is_not() -> None:
    random = np.random.default_rng(0)
    inside = CHANCE * (1 + random.uniform(-0.015, 0.015, 600))
    beyond = CHANCE * (1 + random.uniform(-0.06, 0.06, 600))
    found = first_verdict(guard(), losses(inside))
    assert found is not None and found.kind == "stuck" and found.step < 250
    assert first_verdict(guard(), losses(beyond)) is None


def test_a_slow_fall_through_chance_is_progress() -> None:
    falling = np.linspace(1.03 * CHANCE, 0.9 * CHANCE, 3000)  # 923 steps inside the band
    assert sum(abs(falling / CHANCE - 1) < 0.02) > 4 * 200
    assert first_verdict(guard(), losses(falling)) is None
    level = np.full(3000, 0.99 * CHANCE)
    assert first_verdict(guard(), losses(level)) is not None


def test_without_a_loss_of_chance_there_is_nothing_to_be_stuck_at() -> None:
    assert first_verdict(guard(), [StepFacts(step, 6.93, 1.0) for step in range(1, 500)]) is None
    # one candidate only: ln(1) = 0, which nothing is a share of
    assert first_verdict(guard(), [StepFacts(step, 0.0, 1.0, 0.0) for step in range(1, 500)]) is None


# cosine


def test_vectors_that_fall_together_are_seen_after_so_many_steps() -> None:
    watching = guard(cosine_steps=50)
    found = first_verdict(watching, cosines([0.3] * 100 + [0.97] * 100))
    assert found is not None and found.kind == "cosine" and found.step == 150
    assert found.reason.startswith("the mean cosine of unrelated texts stayed above 0.95 for 50 steps (now 0.9700), up from 0.3000")


@pytest.mark.parametrize("start", [0.8, 0.96, 0.99])
def test_an_anisotropic_model_is_not_accused_of_its_beginning(start: float) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1 * (1 - start), 1000)
    assert first_verdict(guard(), cosines(start + noise)) is None
    collapsed = 1 - 0.2 * (1 - start)  # from 0.99 to 0.998: the spread is a fifth of what it was
    found = first_verdict(guard(), cosines([*(start + noise), *[collapsed] * 60]))
    assert found is not None and found.kind == "cosine"


def test_a_rise_that_stays_low_is_no_collapse() -> None:
    assert first_verdict(guard(), cosines(np.linspace(0.0, 0.94, 2000))) is None


def test_a_model_that_was_better_than_it_began_may_not_fall_back_either() -> None:
    learned = [0.97] * 10 + [0.2] * 100
    found = first_verdict(guard(cosine_steps=20), cosines([*learned, *[0.96] * 40]))
    assert found is not None and found.step == 130  # against its widest spread, 0.8, not its first, 0.03


def test_a_collapse_in_the_first_steps_is_seen() -> None:
    found = first_verdict(guard(cosine_steps=50), cosines([0.5] * 5 + [0.99] * 60))
    assert found is not None and found.step == 55


def test_one_spread_batch_does_not_lower_the_bar() -> None:
    odd = [0.97] * 20 + [0.2] + [0.97] * 500
    assert first_verdict(guard(), cosines(odd)) is None


# gradient


def test_an_explosion_is_seen_and_single_spikes_are_not() -> None:
    found = first_verdict(guard(spike_steps=20), norms([1.0] * 100 + [11.0] * 40))
    assert found is not None and found.kind == "gradient" and found.step == 120
    assert found.reason.startswith("the gradient norm was more than 10 times its running median of 1 for 20 steps in a row (now 11)")
    spiky = ([1.0] * 100) + ([1.0] + [500.0] * 19) * 50
    assert first_verdict(guard(spike_steps=20), norms(spiky)) is None
    assert first_verdict(guard(spike_steps=20), norms([1.0] * 100 + [9.9] * 400)) is None


def test_the_first_gradients_of_adapters_are_small_and_no_measure() -> None:
    growing = [0.001 * 1.1**step for step in range(60)]  # a factor of 300 in 60 steps
    calm = [0.3] * 300
    assert first_verdict(guard(warmup_steps=60), norms([*growing, *calm])) is None
    assert first_verdict(guard(warmup_steps=0, spike_window=20), norms([0.001] * 20 + [0.3] * 300)) is not None


def test_after_gradients_of_zero_anything_would_be_a_spike() -> None:
    assert first_verdict(guard(), norms([0.0] * 200 + [1.0] * 45)) is None


# metric: the figures of earlier staged runs on Eedi, an evaluation an epoch

COLLAPSED = [0.1700, 0.2137, 0.0662, 0.0311]
FADING = [
    [0.2114, 0.2167, 0.2167, 0.2197, 0.2177, 0.2160, 0.2157],
    [0.2198, 0.2195, 0.2201, 0.2192, 0.2114, 0.2114],
    [0.1646, 0.1930, 0.2096, 0.2072, 0.1916, 0.1389],
    [0.1645, 0.1934, 0.2096, 0.1933, 0.1392],
    [0.1623, 0.1822, 0.2132, 0.2138, 0.1855],
]


def test_the_run_that_collapsed_is_stopped_at_its_third_evaluation() -> None:
    watching = guard()
    verdicts = [watching.evaluated(epoch, value) for epoch, value in enumerate(COLLAPSED)]
    assert [verdict is None for verdict in verdicts] == [True, True, False, False]
    assert verdicts[2] is not None and verdicts[2].kind == "metric"
    assert verdicts[2].reason.startswith("map@25 fell from its best, 0.2137, to 0.0662 at step 2, further than guard.metric_fall=0.5 allows")


@pytest.mark.parametrize("series", FADING)
def test_runs_that_faded_are_left_to_patience(series: list[float]) -> None:
    watching = guard()
    assert all(watching.evaluated(epoch, value) is None for epoch, value in enumerate([0.0342, *series]))


def test_a_stricter_share_stops_a_fading_run() -> None:
    watching = guard(metric_fall=0.3)
    verdicts = [watching.evaluated(epoch, value) for epoch, value in enumerate(FADING[2])]
    assert [verdict is None for verdict in verdicts] == [True] * 5 + [False]  # 0.1389 < 0.7 * 0.2096


def test_a_figure_on_the_bound_may_stay_and_zero_has_no_share() -> None:
    watching = guard()
    assert [watching.evaluated(step, value) for step, value in enumerate([0.0, 0.0, 0.25, 0.125])] == [None] * 4
    assert watching.evaluated(4, 0.1249) is not None


def test_a_loss_that_doubles_from_its_best_is_a_collapse() -> None:
    watching = Guard(GuardSettings(), lr=1e-3, warmup_steps=0, metric="eval_loss", greater_is_better=False)
    assert [watching.evaluated(step, value) for step, value in enumerate([3.0, 1.0, 2.0])] == [None] * 3
    found = watching.evaluated(3, 2.01)
    assert found is not None and "eval_loss rose from its best, 1.0000, to 2.0100" in found.reason


# healthy runs and resumed ones


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    start=st.floats(0.3, 2.0),
    floor=st.floats(0.0, 0.8),
    pace=st.floats(20, 400),
    base=st.floats(-0.1, 0.99),
    spread=st.floats(0.05, 0.5),
    candidates=st.integers(4, 16_384),
)
def test_healthy_runs_never_trip(seed: int, start: float, floor: float, pace: float, base: float, spread: float, candidates: int) -> None:
    """Losses that fall with noise, gradients that scatter by factors with a spike now and then, cosines that loosen."""
    random = np.random.default_rng(seed)
    steps, chance = 700, math.log(candidates)
    fall = np.exp(-np.arange(steps) / pace)
    loss = chance * (floor + (start - floor) * fall) * (1 + random.normal(0, spread / 5, steps))
    norm = (0.2 + fall) * np.exp(random.normal(0, spread, steps)) * np.where(random.random(steps) < 0.05, 50, 1)
    cosine = 0.1 + (base - 0.1) * fall + random.normal(0, 0.1 * (1 - base), steps)
    watching = guard(warmup_steps=20)
    facts = zip(loss.tolist(), norm.tolist(), cosine.tolist(), strict=True)
    verdict = first_verdict(watching, [StepFacts(step, *one, chance, mean) for step, (*one, mean) in enumerate(facts, 1)])
    assert verdict is None, verdict
    figures = np.maximum.accumulate(random.uniform(0.1, 0.3, 20)) * random.uniform(0.8, 1.0, 20)
    assert all(watching.evaluated(step, float(figure)) is None for step, figure in enumerate(figures))


@pytest.mark.parametrize("cut", [1, 37, 119, 160])
def test_a_resumed_guard_says_the_same_at_the_same_step(cut: int) -> None:
    random = np.random.default_rng(3)
    faulty = {
        "stuck": losses(CHANCE * (1 + random.uniform(-0.01, 0.01, 400))),
        "cosine": cosines([0.3] * 120 + [0.97] * 100),
        "gradient": norms([1.0] * 150 + [11.0] * 40),
    }
    for kind, facts in faulty.items():
        whole, before, after = guard(), guard(), guard()
        expected = first_verdict(whole, facts)
        assert expected is not None and expected.kind == kind and expected.step > cut
        assert first_verdict(before, facts[:cut]) is None
        before.evaluated(cut, 0.2137)
        after.load_state_dict(json.loads(json.dumps(before.state_dict())))
        assert after.state_dict() == before.state_dict()
        assert first_verdict(after, facts[cut:]) == expected
        assert after.evaluated(cut + 1, 0.0662) is not None
