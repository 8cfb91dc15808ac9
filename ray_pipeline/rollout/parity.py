"""Whether an engine holds the trainer's weights: it draws, and the trainer is asked how likely that was.

Asking the engine how likely a given text is would not do: such questions pass by its cache of prompts, so a cache that holds the keys and values of
older weights would not be seen. What it draws behind a prompt is drawn through the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ray_pipeline.errors import ModelError
from ray_pipeline.models.policy.policy import Policy
from ray_pipeline.rollout.settings import SamplingSettings
from ray_pipeline.rollout.writer import Writer
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import end_to_end


@dataclass(frozen=True)
class Parity:
    """The draw whose mean log-likelihood a token differs most."""

    prompt: int
    engine: float
    trainer: float

    @property
    def difference(self) -> float:
        return abs(self.engine - self.trainer)


def parity(engine: Writer, policy: Policy, prompts: Sequence[Sequence[int]], tokens: int = 8, seed: int = 0) -> Parity:
    """Draw so many tokens behind each prompt, and compare."""
    sampling = SamplingSettings(max_tokens=tokens, temperature=1.0, logprobs=True, seed=seed)
    drawn = [answers[0] for answers in engine.generate(prompts, sampling)]
    rows = [[*prompt, *one.ids] for prompt, one in zip(prompts, drawn, strict=True)]
    learned = np.concatenate([np.arange(len(row)) >= len(prompt) for row, prompt in zip(rows, prompts, strict=True)])
    sums = policy.measure(LearnedTokens(end_to_end(rows), learned), sum(map(len, rows))).sums  # in one pass, so that ranks make equally many
    found = [
        Parity(place, sum(one.logprobs or ()) / len(one.ids), float(sums[place]) / len(one.ids)) for place, one in enumerate(drawn) if len(one.ids)
    ]
    return max(found, key=lambda one: one.difference)


def require_parity(engine: Writer, policy: Policy, prompts: Sequence[Sequence[int]], most: float, version: int) -> Parity:
    """Refuse to go on where they differ by more than `most`; of several engines each is asked."""
    found = max((parity(one, policy, prompts) for one in engine.each()), key=lambda one: one.difference)
    if not found.difference <= most:
        raise ModelError(
            f"weights of version {version}: behind prompt {found.prompt} the engine finds what it drew likely by {found.engine:.5f} a token, the "
            f"trainer by {found.trainer:.5f}; they differ by more than {most:g}, so the engine does not hold these weights, or computes otherwise"
        )
    return found
