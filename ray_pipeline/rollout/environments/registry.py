"""Environments by their settings. What one kind needs (a jail, simulators, the user's file) is imported and started for that kind alone."""

from __future__ import annotations

from ray_pipeline.rollout.environments.environment import Environments
from ray_pipeline.rollout.environments.settings import EnvironmentSettings


def opened(settings: EnvironmentSettings) -> Environments:
    """Ready to begin tasks; to be closed by who opened it."""
    if settings.kind == "bank":
        from ray_pipeline.rollout.environments.bank import BankEnvironments

        return BankEnvironments()
    if settings.kind == "arithmetic":
        from ray_pipeline.rollout.environments.arithmetic import ArithmeticEnvironments

        return ArithmeticEnvironments()
    if settings.kind == "code":
        from ray_pipeline.rollout.environments.code import CodeEnvironments

        return CodeEnvironments(settings)
    if settings.kind == "bfcl":
        from ray_pipeline.rollout.environments.bfcl import BfclEnvironments

        return BfclEnvironments(settings)
    from ray_pipeline.rollout.environments.own import OwnEnvironments

    return OwnEnvironments(settings.environment or "", settings.seconds)
