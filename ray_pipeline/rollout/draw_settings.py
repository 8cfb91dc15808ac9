"""How rollouts are drawn: kept apart from the drawing, so that reading settings loads no engine."""

from __future__ import annotations

from typing import Literal

from ray_pipeline.config import Settings, identity
from ray_pipeline.rollout.settings import SamplingSettings

Replies = Literal["last", "first", "all"]


class DrawSettings(Settings):
    """How rollouts are drawn."""

    replies: Replies = identity("last", "which replies of a conversation are asked for, each behind what stands before it")
    least_prompt: int = identity(0, "leave out prompts of fewer tokens; they are counted", ge=0)
    most_prompt: int | None = identity(None, "leave out prompts of more tokens; they are counted", ge=1)
    rollouts: int = identity(8, "answers to each prompt", ge=2)
    max_tokens: int = identity(512, "tokens of an answer at most", ge=1)
    stop: tuple[str, ...] = identity((), "texts that end an answer, beside the model's own end of a reply")
    seed: int = identity(0, "of the draws")

    ahead: int = identity(0, "draws that may be made before weights have learned from those before them; 0: none, 1: one step off", ge=0)
    in_flight: Literal["finish", "drop"] = identity(
        "finish", "what is being drawn when new weights are due: it is finished with the old ones, or dropped and drawn anew"
    )

    def sampling(self) -> SamplingSettings:
        return SamplingSettings(samples=self.rollouts, temperature=1.0, max_tokens=self.max_tokens, stop=self.stop, seed=self.seed, logprobs=True)
