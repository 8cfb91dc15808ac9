"""Rollouts of single turns: prompts in tokens, several answers each from an engine, and what they are worth.

Everything stays in tokens: what the engine wrote is what is learned from, never its text made into tokens again. Answers are drawn at
temperature 1 from the whole vocabulary, since the likelihoods that engines report are those of the plain model: drawn otherwise, a policy
gradient would be that of another policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ray_pipeline.config import Settings, identity
from ray_pipeline.data.chats.table import conversation_of
from ray_pipeline.errors import DataError
from ray_pipeline.metrics.tool_calls import Call
from ray_pipeline.rollout.engine import Answer, Engine
from ray_pipeline.rollout.generate_shards import asked
from ray_pipeline.rollout.rewards.judge import Judge, Rewarded
from ray_pipeline.rollout.rewards.sample import Sample
from ray_pipeline.rollout.settings import SamplingSettings
from ray_pipeline.rollout.thought_tokens import thought_tokens
from ray_pipeline.text.chat.conversation import Conversation
from ray_pipeline.text.chat.rendering import Renderer


class DrawSettings(Settings):
    """How rollouts are drawn."""

    rollouts: int = identity(8, "answers to each prompt", ge=2)
    max_tokens: int = identity(512, "tokens of an answer at most", ge=1)
    stop: tuple[str, ...] = identity((), "texts that end an answer, beside the model's own end of a reply")
    seed: int = identity(0, "of the draws")

    def sampling(self) -> SamplingSettings:
        return SamplingSettings(samples=self.rollouts, temperature=1.0, max_tokens=self.max_tokens, stop=self.stop, seed=self.seed, logprobs=True)


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


def prompts_of(rows: Iterable[dict[str, Any]], renderer: Renderer) -> list[Prompt]:
    """Conversations up to their last reply, whose calls are the right ones."""
    return [_prompt(row, conversation_of(row), renderer) for row in rows]


def _prompt(row: dict[str, Any], whole: Conversation, renderer: Renderer) -> Prompt:
    try:
        before = asked(whole)
        ids = tuple(renderer.prompt(before))
        reply = whole.messages[-1]
        calls = reply.tool_calls or () if reply.role == "assistant" else ()
        right = tuple(Call(call.name, json.loads(call.arguments)) for call in calls)
    except (DataError, ValueError) as problem:
        raise DataError(f"conversation {row['chat_id']}: {problem}") from problem
    return Prompt(row["chat_id"], ids, renderer.supplied, right, tuple(asdict(message) for message in before.messages))


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
