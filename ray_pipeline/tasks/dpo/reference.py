"""References that are asked while a policy is trained: a frozen copy of what it began from, or the policy without its adapter."""

from __future__ import annotations

from typing import Protocol

from ray_pipeline.models.policy.policy import Measured, Policy
from ray_pipeline.text.learned_tokens import LearnedTokens


class Reference(Protocol):
    """What a policy is compared with."""

    def passes(self, given: LearnedTokens, token_budget: int) -> int: ...

    def measure(self, given: LearnedTokens, token_budget: int, passes: int | None = None) -> Measured: ...


class WithoutAdapter:
    """The policy that is trained, its adapter switched off for as long as it is asked."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def passes(self, given: LearnedTokens, token_budget: int) -> int:
        return self.policy.passes(given, token_budget)

    def measure(self, given: LearnedTokens, token_budget: int, passes: int | None = None) -> Measured:
        with self.policy.backbone.disable_adapter():
            return self.policy.measure(given, token_budget, passes)
