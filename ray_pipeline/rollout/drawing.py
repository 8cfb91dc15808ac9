"""Rollouts of single turns: prompts in tokens, several answers each from an engine, and what they are worth.

Everything stays in tokens: what the engine wrote is what is learned from, never its text made into tokens again. Answers are drawn at
temperature 1 from the whole vocabulary, since the likelihoods that engines report are those of the plain model: drawn otherwise, a policy
gradient would be that of another policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ray_pipeline.data.chats.table import conversation_of
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.tool_calls import Call
from ray_pipeline.rollout.draw_settings import DrawSettings, Replies
from ray_pipeline.rollout.engine import Answer, Engine
from ray_pipeline.rollout.generate_shards import asked
from ray_pipeline.rollout.rewards.judge import Judge, Rewarded
from ray_pipeline.rollout.rewards.sample import Sample
from ray_pipeline.rollout.thought_tokens import thought_tokens
from ray_pipeline.text.chat.conversation import Conversation
from ray_pipeline.text.chat.rendering import Renderer


@dataclass(frozen=True)
class Prompt:
    """What is asked, and the calls that are right."""

    prompt_id: str
    ids: tuple[int, ...]
    supplied: str  # what the template wrote of the reply
    right: tuple[Call, ...]
    messages: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Draw:
    """An answer to a prompt, and what it is worth."""

    prompt: Prompt
    answer: Answer
    thought: int  # tokens of its chain of thought
    rewarded: Rewarded
    version: int  # of the weights that drew it


def prompts_of(rows: Iterable[dict[str, Any]], renderer: Renderer, replies: Replies) -> list[Prompt]:
    """Conversations up to a reply, whose calls are the right ones."""
    return [prompt for row in rows for prompt in _prompts(row, conversation_of(row), renderer, replies)]


def _prompts(row: dict[str, Any], whole: Conversation, renderer: Renderer, replies: Replies) -> Iterator[Prompt]:
    places = [place for place, message in enumerate(whole.messages) if message.role == "assistant"]
    if not places:
        raise DataError(f"conversation {row['chat_id']}: it has no reply, so nobody knows which calls are right; leave it out")
    chosen = {"last": places[-1:], "first": places[:1], "all": places}[replies]
    for place in chosen:
        name = f"{row['chat_id']}/{place}" if replies == "all" else row["chat_id"]
        try:
            yield _prompt(name, whole, place, renderer)
        except (DataError, ValueError) as problem:
            raise DataError(f"conversation {row['chat_id']}: {problem}") from problem


def _prompt(name: str, whole: Conversation, place: int, renderer: Renderer) -> Prompt:
    before = asked(Conversation(whole.messages[: place + 1], whole.tools, whole.chat_id))
    right = tuple(Call(call.name, json.loads(call.arguments)) for call in whole.messages[place].tool_calls or ())
    return Prompt(name, tuple(renderer.prompt(before)), renderer.supplied, right, tuple(asdict(message) for message in before.messages))


def draw(
    engine: Engine, prompts: Sequence[Prompt], first: int, settings: DrawSettings, judge: Judge, decode: Callable[[Sequence[int]], str]
) -> list[Draw]:
    """All answers, those to a prompt together. `first`: the place of the first prompt among all that are ever asked, which decides its draws;
    `decode` keeps special tokens."""
    answers = engine.generate([list(one.ids) for one in prompts], settings.sampling(), first)
    pairs = [(prompt, answer) for prompt, each in zip(prompts, answers, strict=True) for answer in each]
    rewarded = judge([_sample(prompt, answer, settings.max_tokens) for prompt, answer in pairs])
    return [
        Draw(prompt, answer, thought_tokens(answer.ids, decode, prompt.supplied), worth, engine.version)
        for (prompt, answer), worth in zip(pairs, rewarded, strict=True)
    ]


def _sample(prompt: Prompt, answer: Answer, limit: int) -> Sample:
    return Sample(
        prompt.prompt_id,
        answer.text,
        prompt.supplied,
        prompt.right,
        tokens=len(answer.ids),
        limit=limit,
        truncated=not answer.finished,
        messages=prompt.messages,
    )
