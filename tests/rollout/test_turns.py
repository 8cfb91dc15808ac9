"""Rollouts of several turns with a real engine: token for token, each in a world of its own, limits, and faults that are marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ray_pipeline.config import parse
from ray_pipeline.data.tasks.task import Task
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.models.policy.tokenizer import policy_tokenizer, renderer_of
from ray_pipeline.rollout.draw_settings import DrawSettings
from ray_pipeline.rollout.drawing import Acts
from ray_pipeline.rollout.engine import Engine
from ray_pipeline.rollout.environments.environment import Environment, EnvironmentFault, Reply, Standing
from ray_pipeline.rollout.rewards.judge import Judge
from ray_pipeline.rollout.rewards.settings import RewardSettings
from ray_pipeline.rollout.turns import Played, Turns
from ray_pipeline.text.chat.conversation import Message
from ray_pipeline.text.chat.rendering import MaskSettings
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end

TASKS = [Task(f"t{number}", (Message("user", f"count from {number}"),), facts={"turns": number + 1}) for number in range(3)]
DRAW = DrawSettings(rollouts=2, max_tokens=6, seed=5)


class Counts:
    """Says how often it was answered, until it was answered as often as its task says; some of it fails on purpose."""

    def __init__(self, task: Task) -> None:
        self.task, self.heard = task, []

    def answer(self, reply: Reply) -> Sequence[Message]:
        self.heard.append(reply)
        if self.task.facts.get("hangs") == len(self.heard):
            raise EnvironmentFault("no answer within 1 s")
        if len(self.heard) == self.task.facts["turns"]:
            return []
        role = "tool" if len(self.heard) % 2 else "user"
        return [Message(role, f"that was {len(self.heard)}", name="count" if role == "tool" else None)]

    def standing(self) -> Standing:
        return Standing(len(self.heard) / 4, calls=len(self.heard), failed=1)


class Worlds:
    def __init__(self) -> None:
        self.begun: list[Counts] = []

    def begin(self, task: Task) -> Environment:
        if task.facts.get("cannot"):
            raise EnvironmentFault("there is no such world")
        self.begun.append(Counts(task))
        return self.begun[-1]

    def close(self) -> None:
        self.begun.clear()


@pytest.fixture(scope="module")
def turns(tiny_policy: Path) -> Turns:
    settings = PolicySettings(name=str(tiny_policy))
    renderer = renderer_of(tiny_policy, settings, MaskSettings(), "chat")
    return Turns(renderer, policy_tokenizer(tiny_policy, settings).decode, DRAW.sampling(), 8)


@pytest.fixture(scope="module")
def played(engine: Engine, turns: Turns) -> list[Played]:
    return turns(engine, TASKS, Worlds())


def test_each_is_answered_until_its_world_has_nothing_more_to_say(played: list[Played]) -> None:
    whole = [one for one in played if not one.truncated]
    assert [one.standing.calls if one.standing else None for one in whole] == [len(one.replies) for one in whole]
    for place, one in enumerate(played):
        most = TASKS[place // 2].facts["turns"]
        assert len(one.replies) == most or (one.truncated and len(one.replies) <= most)
        assert len(one.written) == len(one.ids) and sum(one.written) == len(one.logprobs) == len(one.thought)


def test_a_reply_that_was_cut_off_ends_its_rollout(played: list[Played]) -> None:
    """A tiny policy hardly ever ends a reply in six tokens: what it began to say is no answer to go on from."""
    cut = [one for one in played if one.truncated]
    assert cut
    for one in cut:
        assert one.written[-1] and sum(one.written) % 6 == 0


@pytest.fixture(scope="module")
def ending(turns: Turns) -> Turns:
    """Replies that end by a word that comes soon, so rollouts have several."""
    return replace(turns, sampling=turns.sampling.model_copy(update={"stop": ("e", "a", "i", "o", " ", "t", "n", "1")}))


def test_tokens_stay_as_they_were_drawn_and_are_as_likely_as_the_policy_finds_them(engine: Engine, ending: Turns, tiny_policy: Path) -> None:
    drawn = ending(engine, TASKS, Worlds())
    several = [one for one in drawn if len(one.replies) > 1]
    assert several
    policy = Policy(PolicySettings(name=str(tiny_policy)))
    for one in several:
        row = [*one.prompt, *one.ids]
        learned = np.array([False] * len(one.prompt) + list(one.written))
        assert sum(one.logprobs) == pytest.approx(policy.measure(LearnedTokens(end_to_end([row]), learned), 4096).sums[0], abs=2e-3)
        told = [token for token, own in zip(one.ids, one.written, strict=True) if not own]
        text = ending.decode(told)
        assert text.count("that was") == len(one.replies) - 1 and text.count("assistant") == len(one.replies) - 1


def test_draws_are_a_tasks_alone(engine: Engine, ending: Turns) -> None:
    """Whatever else is drawn beside it."""
    together, alone = ending(engine, TASKS, Worlds()), ending(engine, TASKS[2:], Worlds(), first=2)
    assert [one.ids for one in together[4:]] == [one.ids for one in alone]
    assert len({one.ids for one in together}) > 3


def test_every_rollout_has_a_world_of_its_own(engine: Engine, ending: Turns) -> None:
    worlds = Worlds()
    drawn = ending(engine, TASKS, worlds)
    assert len(worlds.begun) == 6
    assert [[reply.text for reply in world.heard] for world in worlds.begun] == [list(one.replies) for one in drawn]


def test_more_replies_than_allowed_are_not_asked_for(engine: Engine, ending: Turns) -> None:
    drawn = replace(ending, most=1)(engine, TASKS, Worlds())
    assert all(len(one.replies) == 1 and all(one.written) for one in drawn)
    assert all(one.truncated for one in drawn[2:])  # the world had more to say


def test_no_room_for_another_reply_ends_a_rollout(engine: Engine, ending: Turns) -> None:
    long = Task("long", (Message("user", "x" * 980),), facts={"turns": 9})
    (one, other) = ending(engine, [long], Worlds())
    for found in (one, other):
        assert found.truncated and found.fault is None and found.standing is not None
        assert len(found.prompt) + len(found.ids) <= engine.room


def test_faults_are_marked_and_judged_as_failed(engine: Engine, ending: Turns) -> None:
    hangs = Task("hangs", (Message("user", "?"),), facts={"turns": 9, "hangs": 1})
    given = [TASKS[0], hangs, Task("cannot", (Message("user", "?"),), facts={"cannot": True}), Task("huge", (Message("user", "y" * 5000),))]
    with Judge(parse(RewardSettings, {"parts": {"task": {"kind": "task"}}, "most_failed": 1.0})) as judge:
        drawn = Acts(given, ending, Worlds(), judge).draw(engine, [0, 1, 2, 3], 0)
    found = [(one.prompt_id, one.sample, one.rewarded.failed) for one in drawn]
    assert found[:2] == [("t0", 0, None), ("t0", 1, None)]
    assert found[2] == ("hangs", 0, "environment, task hangs: no answer within 1 s")
    assert found[4] == ("cannot", 0, "environment, task cannot: there is no such world")
    assert found[6][2] is not None and "its prompt has" in found[6][2] and "the engine holds 1,024" in found[6][2]
    assert drawn[0].rewarded.reward == drawn[0].played.standing.worth if drawn[0].played.standing else False
