"""In which environment a policy acts: kept apart from environments, so that reading settings starts nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.sandbox.settings import SandboxSettings


class EnvironmentSettings(Settings):
    """What answers the policy."""

    kind: Literal["bank", "arithmetic", "code", "bfcl", "own"] = identity(
        ...,
        "bank: accounts behind tools, judged by the money that is where it should be; arithmetic: a sum, with a calculator to call; code: a program, "
        "judged and answered by its tests; bfcl: the simulators of BFCL's multi-turn tasks; own: a class of yours",
    )
    environment: str | None = source(None, "kind=own: file.py:Class; see docs/rl.md for what it has to have")
    replies: int = identity(8, "replies of a rollout at most", ge=1)
    seconds: float = identity(10.0, "what an answer may take", gt=0)
    speed: bool = identity(False, "kind=code: take the time of programs that pass their tests, against the problem's own program")
    sandbox: SandboxSettings = section(SandboxSettings(), "kind=code and kind=bfcl: what programs and simulators are held by")

    @model_validator(mode="after")
    def _has_class(self) -> EnvironmentSettings:
        if (self.kind == "own") != (self.environment is not None):
            raise ValueError(f"kind={self.kind} and environment={self.environment}: a class is given with kind=own, and only there")
        return self
