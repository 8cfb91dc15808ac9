"""How rollouts are drawn: kept apart from the drawing, so that reading settings loads no engine."""

from __future__ import annotations

from typing import Literal

from ray_pipeline.config import Settings, identity
from ray_pipeline.rollout.settings import SamplingSettings

Replies = Literal["last", "first", "all"]


class DrawSettings(Settings):
    """How rollouts are drawn."""

    replies: Replies = identity("last", "which replies of a conversation are asked for, each behind what stands before it")
    rollouts: int = identity(8, "answers to each prompt", ge=2)
    max_tokens: int = identity(512, "tokens of an answer at most", ge=1)
    stop: tuple[str, ...] = identity((), "texts that end an answer, beside the model's own end of a reply")
    seed: int = identity(0, "of the draws")

    def sampling(self) -> SamplingSettings:
        return SamplingSettings(samples=self.rollouts, temperature=1.0, max_tokens=self.max_tokens, stop=self.stop, seed=self.seed, logprobs=True)
