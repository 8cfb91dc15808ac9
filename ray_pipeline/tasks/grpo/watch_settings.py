"""When a reinforcement learning is going wrong, and what is done about it (`watch.py` has the rules).

All of it is placement: a warning or a stop changes when a run ends early, never what it publishes. So a run that was stopped goes on from its
checkpoint with other bounds.
"""

from __future__ import annotations

from typing import Literal

from ray_pipeline.config import Settings, placement, section

Action = Literal["warn", "stop", "off"]
_ACTION = "warn: say it once, and again if it comes back; stop: end the run; off: do not look"


class EntropyWatch(Settings):
    """The policy answers ever the same."""

    action: Action = placement("warn", _ACTION)
    share: float = placement(0.2, "the entropy is below this share of the first steps' mean", gt=0, lt=1)
    steps: int = placement(5, "for so many steps in a row", ge=1)


class LengthWatch(Settings):
    """Answers grow until they are cut off."""

    action: Action = placement("warn", _ACTION)
    times: float = placement(2.0, "answers are longer than so many times the first steps' mean, and ...", gt=1)
    truncated: float = placement(0.25, "... more than this share of them are cut off", ge=0, lt=1)
    steps: int = placement(3, "for so many steps in a row", ge=1)


class MismatchWatch(Settings):
    """The engine draws from another policy than the one that learns."""

    action: Action = placement("warn", _ACTION)
    most: float = placement(0.05, "mismatch_kl is above this; engines in bf16 are usually below 0.01, in fp32 below 1e-4", gt=0)
    steps: int = placement(3, "for so many steps in a row", ge=1)


class ThoughtWatch(Settings):
    """No answer has a chain of thought, while the advantage (EGPO) or a reward (strict) is about one."""

    action: Action = placement("warn", _ACTION)
    steps: int = placement(5, "for so many steps in a row", ge=1)


class WatchSettings(Settings):
    """What is watched. Rewards that are all equal always end the run: nothing can be learned from them."""

    first_steps: int = placement(5, "steps at the start whose mean is what entropy and lengths are compared with", ge=1)
    most_silent: int = placement(20, "draws in a row in which the rewards of every prompt's rollouts are equal; then the run stops", ge=1)
    entropy: EntropyWatch = section(EntropyWatch(), "the entropy collapses")
    length: LengthWatch = section(LengthWatch(), "lengths explode")
    mismatch: MismatchWatch = section(MismatchWatch(), "engine and trainer drift apart")
    thought: ThoughtWatch = section(ThoughtWatch(), "chains of thought are all empty")
