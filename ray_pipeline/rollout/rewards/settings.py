"""What rollouts are rewarded for."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ray_pipeline.config import Settings, identity, section, source


class PartSettings(Settings):
    """One thing that counts."""

    kind: Literal["exact", "strict", "partial", "format", "length", "overlong", "speed", "task", "own"] = identity(
        "exact",
        "exact: the right calls (or none); strict: and a well formed thought before them; partial: a share for names and arguments; "
        "format: thought and calls can be read; length: the share of the limit of tokens that it took (weigh it below 0); overlong: less, the nearer "
        "to the limit; "
        "task: what the environment says, usually 0 to 1; speed: how much faster than the reference, as the environment says; "
        "own: a function of yours",
    )
    weight: float = identity(1.0, "of this part in the sum")
    function: str | None = source(None, "kind=own: file.py:function, which takes a sample and gives a number")
    seconds: float = identity(10.0, "kind=own: what it may take for a sample", gt=0)
    room: int = identity(128, "kind=overlong: over how many tokens before the limit it falls from 0 to -1", ge=1)

    @model_validator(mode="after")
    def _has_function(self) -> PartSettings:
        if (self.kind == "own") != (self.function is not None):
            raise ValueError(f"kind={self.kind} and function={self.function}: a function is given with kind=own, and only there")
        return self


class RewardSettings(Settings):
    """The sum of all parts."""

    parts: dict[str, PartSettings] = section({"calls": PartSettings()}, "what counts, by names of your own")
    most_failed: float = identity(0.1, "share of a batch's samples that may fail to be rewarded; above it the run stops, naming one", ge=0, le=1)

    @model_validator(mode="after")
    def _some(self) -> RewardSettings:
        if not self.parts or not any(one.weight for one in self.parts.values()):
            raise ValueError("parts: nothing counts; give a part whose weight is not 0")
        return self
