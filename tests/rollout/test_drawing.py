"""Rollouts from a real engine: in tokens throughout, judged, the same again wherever a prompt stands among others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ray_pipeline.config import parse
from ray_pipeline.data.tool_chats.generate import tool_chats
from ray_pipeline.data.tool_chats.spec import ToolChatSpec
from ray_pipeline.errors import DataError
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import policy_tokenizer, renderer_of
from ray_pipeline.rollout.draw_settings import DrawSettings, Replies
from ray_pipeline.rollout.drawing import Answers
from ray_pipeline.rollout.engine import Engine
from ray_pipeline.rollout.prompts import Prompt, prompts_of
from ray_pipeline.rollout.rewards.judge import Judge
from ray_pipeline.rollout.rewards.settings import RewardSettings
from ray_pipeline.text.chat.rendering import MaskSettings
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end

SETTINGS = DrawSettings(rollouts=3, max_tokens=6, seed=5)


ROWS = tool_chats(ToolChatSpec(12, domains=1, most_tools=1, multi_turn_share=0.0)).to_pylist()


def of(tiny_policy: Path, replies: Replies, rows: list[dict[str, Any]] = ROWS) -> list[Prompt]:
    return prompts_of(rows, renderer_of(tiny_policy, PolicySettings(name=str(tiny_policy)), MaskSettings(), "chat"), replies)


@pytest.fixture(scope="module")
def prompts(tiny_policy: Path) -> list[Prompt]:
    return [one for one in of(tiny_policy, "first") if len(one.ids) < 900][:3]


def test_prompts_know_the_calls_that_are_right(tiny_policy: Path) -> None:
    first, last, every = (of(tiny_policy, replies) for replies in ("first", "last", "all"))  # type: ignore[arg-type]
    assert len(first) == len(last) == 12 < len(every)
    called = [one for one in first if one.right]
    assert len(called) == 10 and all(call.name and isinstance(call.arguments, dict) for one in called for call in one.right)
    assert all(one.messages[-1]["role"] == "user" for one in first)
    told = [one for one in last if one.messages[-1]["role"] == "tool"]
    assert told and all(one.right == () for one in told)  # a result was there: it is told, not called for again
    assert [one.prompt_id for one in every[:3]] == ["t000000/1", "t000000/3", "t000001/1"]


def test_answers_are_drawn_judged_and_likely_as_the_policy_finds_them(engine: Engine, prompts: list[Prompt], tiny_policy: Path) -> None:
    tokenizer = policy_tokenizer(tiny_policy, PolicySettings(name=str(tiny_policy)))
    with Judge(parse(RewardSettings, {"parts": {"near": {"kind": "partial"}, "long": {"kind": "overlong", "room": 3}}})) as judge:
        answers = Answers(prompts, SETTINGS, judge, tokenizer.decode)
        found = answers.draw(engine, [0, 1, 2], 0)
        assert [one.prompt_id for one in found] == [one.prompt_id for one in prompts for _ in range(3)]
        assert len({one.played.ids for one in found}) > 3
        assert all(set(one.rewarded.parts) == {"near", "long"} and one.rewarded.failed is None for one in found)
        cut = [one for one in found if one.played.truncated]
        assert cut and all(one.rewarded.parts["long"] == -1.0 and len(one.played.ids) == 6 for one in cut)
        policy = Policy(PolicySettings(name=str(tiny_policy)))
        for one in found[:2]:
            row = [*one.played.prompt, *one.played.ids]
            rows = LearnedTokens(end_to_end([row]), np.arange(len(row)) >= len(one.played.prompt))
            assert sum(one.played.logprobs) == pytest.approx(policy.measure(rows, 2048).sums[0], abs=1e-3)
        again = answers.draw(engine, [1, 2], 1)
    assert [one.played.ids for one in again] == [one.played.ids for one in found[3:]]


def test_a_conversation_that_cannot_be_asked_is_named(tiny_policy: Path) -> None:
    alone = {**ROWS[0], "messages": ROWS[0]["messages"][-1:]}
    with pytest.raises(DataError, match="conversation t000000: there is nothing before the reply"):
        of(tiny_policy, "last", [alone])
    silent = {**ROWS[0], "messages": ROWS[0]["messages"][:1]}
    with pytest.raises(DataError, match="conversation t000000: it has no reply"):
        of(tiny_policy, "last", [silent])
