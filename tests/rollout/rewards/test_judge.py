"""Rewards of a batch: parts added up by weight, failures marked, too many of them the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ray_pipeline.config import parse
from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.metrics.tool_calls import Call
from ray_pipeline.rollout.rewards.judge import Judge, Rewarded
from ray_pipeline.rollout.rewards.sample import Sample
from ray_pipeline.rollout.rewards.settings import RewardSettings

GOOD = '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'
HALF = '<tool_call>{"name": "add", "arguments": {"a": 2}}</tool_call>'
RIGHT = (Call("add", {"a": 1}),)


def judged(samples: list[Sample], **given: Any) -> list[Rewarded]:
    with Judge(parse(RewardSettings, given)) as judge:
        return judge(samples)


def test_parts_are_added_up_by_weight() -> None:
    parts = {
        "calls": {},
        "near": {"kind": "partial", "weight": 0.5},
        "form": {"kind": "format", "weight": 2.0},
        "long": {"kind": "overlong", "room": 10},
    }
    samples = [
        Sample("a", f"I add.</think>{GOOD}", "<think>", RIGHT, tokens=95, limit=100),
        Sample("b", HALF, "", RIGHT, tokens=10, limit=100),
    ]
    found = judged(samples, parts=parts)
    assert found[0].parts == {"calls": 1.0, "near": 1.0, "form": 1.0, "long": -0.5}
    assert found[0].reward == 1 + 0.5 + 2 - 0.5
    assert found[1].parts == {"calls": 0.0, "near": 0.5, "form": 0.0, "long": 0.0}
    assert found[1].reward == 0.25


def test_strict_and_exact_are_two_things() -> None:
    bare = [Sample("a", GOOD, "", RIGHT)]
    assert [judged(bare, parts={"one": {"kind": kind}})[0].reward for kind in ("exact", "strict")] == [1.0, 0.0]


def test_ours_and_the_users_own_together(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def short(sample):\n    return 1 / len(sample['reply'])\n")
    parts = {"calls": {}, "short": {"kind": "own", "function": f"{tmp_path}/mine.py:short", "weight": 10.0}}
    found = judged([Sample("a", "ab"), Sample("b", "")], parts=parts, most_failed=0.5)
    assert found[0] == Rewarded(6.0, {"calls": 1.0, "short": 0.5})
    assert found[1] == Rewarded(0.0, {"calls": 1.0}, "short: ZeroDivisionError: division by zero")
    with pytest.raises(
        DataError, match=r"reward: 1 of 2 samples have none, more than reward.most_failed=0.1 .* an answer to 'b': short: ZeroDivision"
    ):
        judged([Sample("a", "ab"), Sample("b", "")], parts=parts)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"parts": {}}, "nothing counts"),
        ({"parts": {"calls": {"weight": 0.0}}}, "nothing counts"),
        ({"parts": {"mine": {"kind": "own"}}}, "a function is given with kind=own"),
        ({"parts": {"mine": {"function": "a.py:f"}}}, "a function is given with kind=own"),
    ],
)
def test_settings_that_count_nothing_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RewardSettings.model_validate(given)


def test_a_function_that_is_not_there_ends_what_was_started(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def good(sample):\n    return 1\n")
    parts = {name: {"kind": "own", "function": f"{tmp_path}/mine.py:{name}"} for name in ("good", "bad")}
    with pytest.raises(SettingsError, match="defines no function bad; it has good"):
        judged([], parts=parts)
