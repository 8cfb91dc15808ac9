"""Rewards of a batch of samples: each part by each sample, added up by weight; what failed is marked, and too much of it ends the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from ray_pipeline.errors import DataError
from ray_pipeline.metrics import tool_rewards
from ray_pipeline.rollout.rewards.own import Failed, OwnReward
from ray_pipeline.rollout.rewards.sample import Sample
from ray_pipeline.rollout.rewards.settings import PartSettings, RewardSettings

Part = Callable[[Sequence[Sample]], list[float | Failed]]


@dataclass(frozen=True)
class Rewarded:
    """A sample's worth. `failed`: why it has none; such a rollout teaches nothing."""

    reward: float
    parts: dict[str, float]
    failed: str | None = None


OURS: Final[dict[str, Callable[[Sample], float | Failed]]] = {
    "exact": lambda one: tool_rewards.exact(one.reply, one.right, one.supplied),
    "strict": lambda one: tool_rewards.strict(one.reply, one.right, one.supplied),
    "partial": lambda one: tool_rewards.partial(one.reply, one.right, one.supplied),
    "task": lambda one: Failed("it was drawn in no environment") if one.worth is None else one.worth,
    "speed": lambda one: one.speed or 0.0,
    "length": lambda one: one.tokens / max(1, one.limit),
    "format": lambda one: tool_rewards.formatted(one.reply, one.supplied),
}


class Judge:
    """Holds the processes of the user's own rewards."""

    def __init__(self, settings: RewardSettings) -> None:
        self.settings = settings
        self._own: list[OwnReward] = []
        self._parts: dict[str, Part] = {}
        try:
            for name, one in settings.parts.items():
                self._parts[name] = self._part(one)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for one in self._own:
            one.close()
        self._own.clear()

    def __call__(self, samples: Sequence[Sample]) -> list[Rewarded]:
        """What each is worth, in their order."""
        sound = [one for one in samples if one.fault is None]
        found = {name: iter(part(sound)) for name, part in self._parts.items()}
        rewarded = [
            self._sum({name: next(values) for name, values in found.items()}) if one.fault is None else Rewarded(0.0, {}, one.fault)
            for one in samples
        ]
        failed = [place for place, one in enumerate(rewarded) if one.failed is not None]
        if len(failed) > self.settings.most_failed * len(samples):
            first = failed[0]
            raise DataError(
                f"reward: {len(failed)} of {len(samples)} samples have none, more than reward.most_failed={self.settings.most_failed:g} allows; "
                f"the first is an answer to {samples[first].prompt_id!r}: {rewarded[first].failed}; the answer begins {samples[first].reply[:80]!r}"
            )
        return rewarded

    def _sum(self, parts: dict[str, float | Failed]) -> Rewarded:
        said = [f"{name}: {value}" for name, value in parts.items() if isinstance(value, Failed)]
        known = {name: value for name, value in parts.items() if not isinstance(value, Failed)}
        if said:
            return Rewarded(0.0, known, "; ".join(said))
        return Rewarded(sum(self.settings.parts[name].weight * value for name, value in known.items()), known)

    def _part(self, one: PartSettings) -> Part:
        if one.kind == "own":
            self._own.append(OwnReward(one.function or "", one.seconds))
            return self._own[-1]
        if one.kind == "overlong":
            return lambda samples: [tool_rewards.overlong(sample.tokens, sample.limit, one.room) for sample in samples]
        ours = OURS[one.kind]
        return lambda samples: [ours(sample) for sample in samples]
