"""The watch: each fault planted step by step, what it says and how often, what it does not accuse, and the state after a stop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ray_pipeline.config import identity_of, parse
from ray_pipeline.errors import TrainingError
from ray_pipeline.tasks.grpo.settings import GrpoTraining
from ray_pipeline.tasks.grpo.watch import Watch, thoughts_for
from ray_pipeline.tasks.grpo.watch_settings import WatchSettings

WELL = {"entropy": 1.0, "uniform": 0.25, "answer_tokens": 100.0, "truncated": 0.0, "mismatch_kl": 0.001, "thought_tokens": 20.0}
FAULTS: dict[str, dict[str, float]] = {
    "entropy": {"entropy": 0.1},
    "length": {"answer_tokens": 250.0, "truncated": 0.5},
    "mismatch": {"mismatch_kl": 0.2},
    "thought": {"thought_tokens": 0.0},
}
SHORT: dict[str, Any] = {"first_steps": 2, **{name: {"steps": 3} for name in FAULTS}}


def watch_of(said: list[str], **given: Any) -> Watch:
    return Watch(parse(WatchSettings, {**SHORT, **given}), "advantage.kind=egpo", said.append)


def fed(watch: Watch, *rows: Mapping[str, float], first: int = 1) -> None:
    for step, row in enumerate(rows, first):
        watch.step({**WELL, **row, "step": step})


WORDS = {
    "entropy": r"the entropy is 0.1, below 0.2 times the first steps' 1 \(uniform prompts: 25%\)",
    "length": r"answers have 250 tokens, over 2 times the first steps' 100, and 50% are cut off",
    "mismatch": r"mismatch_kl is 0.2, above 0.05",
    "thought": r"no answer has a whole chain of thought, which advantage.kind=egpo is about",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_said_with_its_figures_and_its_first_step_once_it_lasts(name: str) -> None:
    said: list[str] = []
    watch = watch_of(said)
    fed(watch, {}, {}, FAULTS[name], FAULTS[name])
    assert said == []
    fed(watch, FAULTS[name], FAULTS[name], FAULTS[name], first=5)
    (line,) = said
    assert line.startswith(f"watch.{name}: ")
    assert ", at each step from 3 to 5. " in line
    with pytest.raises(TrainingError, match=rf"watch.{name}: {WORDS[name]}.*, at each step from 3 to 5\. .*watch.{name}.action=stop"):
        fed(watch_of([], **{name: {"action": "stop", "steps": 3}}), {}, {}, *[FAULTS[name]] * 3)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_comes_back_is_said_again(name: str) -> None:
    said: list[str] = []
    fault = FAULTS[name]
    fed(watch_of(said), {}, {}, *[fault] * 4, {}, fault, fault, {}, *[fault] * 3)
    assert [line.split("at each step from ")[1].split(". ")[0] for line in said] == ["3 to 5", "11 to 13"]


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_off_is_not_looked_at(name: str) -> None:
    said: list[str] = []
    fed(watch_of(said, **{name: {"action": "off", "steps": 3}}), {}, {}, *[FAULTS[name]] * 9)
    assert said == []


def test_a_run_that_goes_well_is_left_alone() -> None:
    said: list[str] = []
    longer = {"answer_tokens": 400.0, "truncated": 0.2}  # a policy that learns to think
    cut = {"answer_tokens": 150.0, "truncated": 0.9}  # a tight limit
    calmer = {"entropy": 0.25, "mismatch_kl": 0.04, "thought_tokens": 0.01}
    fed(watch_of(said), *[{}] * 3, *[longer] * 5, *[cut] * 5, *[calmer] * 5)
    assert said == []


def test_the_first_steps_are_what_is_compared_with() -> None:
    """Their mean, and not that of a later step: 0.1 is a fifth of 0.5, the mean of 0.8 and 0.2; 0.16 would be of 0.8."""
    said: list[str] = []
    fed(watch_of(said), {"entropy": 0.8}, {"entropy": 0.2}, *[{"entropy": 0.12}] * 9)
    assert said == []
    fed(watch_of(said), {"entropy": 0.8}, {"entropy": 0.2}, *[{"entropy": 0.099}] * 9)
    assert len(said) == 1 and "0.2 times the first steps' 0.5" in said[0]


@pytest.mark.parametrize("stopped", range(1, 8))
def test_a_stopped_run_is_watched_as_if_it_had_not_been(stopped: int) -> None:
    rows = [{"entropy": 2.0}, {}, FAULTS["entropy"], FAULTS["entropy"], FAULTS["entropy"], FAULTS["entropy"], {}, *[FAULTS["length"]] * 4]
    whole: list[str] = []
    fed(watch_of(whole), *rows)
    assert [line.partition(":")[0] for line in whole] == ["watch.entropy", "watch.length"]
    parts: list[str] = []
    before = watch_of(parts)
    fed(before, *rows[:stopped])
    after = watch_of(parts)
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    fed(after, *rows[stopped:], first=stopped + 1)
    assert parts == whole


def test_a_stopped_run_may_go_on_with_other_bounds() -> None:
    strict = watch_of([], mismatch={"action": "stop", "steps": 2})
    with pytest.raises(TrainingError, match="goes on from the newest checkpoint"):
        fed(strict, {}, {}, FAULTS["mismatch"], FAULTS["mismatch"])
    said: list[str] = []
    lenient = watch_of(said, mismatch={"most": 0.5})
    lenient.load_state_dict(strict.state_dict())
    fed(lenient, *[FAULTS["mismatch"]] * 5, first=5)
    assert said == []


@pytest.mark.parametrize(
    ("given", "about"),
    [
        ({}, None),
        ({"advantage": {"kind": "egpo"}}, "advantage.kind=egpo"),
        ({"advantage": {"kind": "egpo_clipped"}}, "advantage.kind=egpo_clipped"),
        ({"reward": {"parts": {"form": {"kind": "format"}, "calls": {"kind": "strict"}}}}, "reward.parts.calls.kind=strict"),
    ],
)
def test_thoughts_are_missed_only_where_something_is_about_them(given: dict[str, Any], about: str | None) -> None:
    training = parse(GrpoTraining, given)
    assert thoughts_for(training.advantage, training.reward) == about
    said: list[str] = []
    watch = Watch(training.watch, about, said.append)
    fed(watch, *[{"thought_tokens": 0.0}] * 20)
    assert len(said) == (about is not None)


def test_the_watch_is_no_part_of_what_a_run_publishes() -> None:
    """So that a run which it ended goes on with other bounds."""
    bounds = {"most_silent": 7, "mismatch": {"action": "stop", "most": 0.5}}
    assert identity_of(parse(GrpoTraining, {"watch": bounds})) == identity_of(parse(GrpoTraining, {}))
