"""A batch of reinforcement learning on one rank: rollouts, their worth, and how likely they were when they were drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.text.learned_tokens import LearnedTokens, TokenBatch
from ray_pipeline.text.shared_prompts import Family, families, pack_shared, plan_families

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RolloutBatch:
    """n rollouts. `rows`: prompt and answer, where what the policy wrote is learned (in several turns, the environment's words are not). Values by
    target stand in the order of the rows' learned tokens."""

    rows: LearnedTokens
    groups: NDArray[np.int64]  # [n] rollouts of one prompt have one number
    advantages: Values  # [n]
    engine: Values  # [targets] log-likelihoods, as the engine drew them
    old: Values | None = None  # [targets] as the trainer saw them before the batch's first update; None: there is one update only
    thought: NDArray[np.bool_] | None = None  # [targets] which are of a chain of thought; None: none is
    idle: bool = False  # it teaches nothing and weighs nothing
    figures: Mapping[str, float] = field(default_factory=dict)  # means over all that was drawn for it, for the log

    def __post_init__(self) -> None:
        targets = int(self.rows.targets().sum())
        for name, given, what in (
            ("engine", self.engine, "log-likelihoods"),
            ("old", self.old, "log-likelihoods"),
            ("thought", self.thought, "marks"),
        ):
            if given is not None and len(given) != targets:
                raise DataError(f"{name}: {len(given)} {what} of {targets} generated tokens")

    def __len__(self) -> int:
        return len(self.rows)

    def thinking(self) -> NDArray[np.bool_]:
        """[targets] which are of a chain of thought."""
        return np.zeros(len(self.engine), dtype=np.bool_) if self.thought is None else self.thought

    def mean_by_rollout(self, values: Values, among: NDArray[np.bool_]) -> Values:
        """[n] the mean of values by target over those targets of a rollout that are `among`; 0 where none is."""
        owner = np.repeat(np.arange(len(self)), self.rows.targets())[among]
        total = np.bincount(owner, weights=values[among], minlength=len(self))
        count = np.bincount(owner, minlength=len(self))
        return np.divide(total, count, out=np.zeros(len(self)), where=count > 0).astype(np.float32)

    def in_parts(self, count: int) -> list[RolloutBatch]:
        """Cut into so many, each of whole groups; where there are fewer groups (some were left out), the first ones come again: a step in which no
        rank had anything to learn from would be none."""
        names = np.unique(self.groups)
        cut = [self._of(np.flatnonzero(np.isin(self.groups, chosen))) for chosen in np.array_split(names, min(count, len(names)))]
        return [cut[number % len(cut)] for number in range(count)]

    def _of(self, rows: NDArray[np.int64]) -> RolloutBatch:
        counts = self.rows.targets()
        among = np.isin(np.repeat(np.arange(len(self)), counts), rows)  # [targets]
        old, thought = None if self.old is None else self.old[among], None if self.thought is None else self.thought[among]
        return replace(
            self,
            rows=self.rows.take(rows),
            groups=self.groups[rows],
            advantages=self.advantages[rows],
            engine=self.engine[among],
            old=old,
            thought=thought,
        )

    def plan(self, token_budget: int) -> list[list[Family]]:
        """The rollouts of each micro batch, prompts shared."""
        return plan_families(self.rows, families(self.rows, self.groups), token_budget)

    def micro_batch(self, chosen: list[Family]) -> MicroBatch:
        """Those rollouts, and which of the batch's targets are theirs."""
        members = np.concatenate([family.rows for family in chosen])
        counts = self.rows.targets()
        ends = np.cumsum(counts)
        starts = ends - counts
        targets = np.concatenate([np.arange(starts[row], ends[row]) for row in members])
        return MicroBatch(pack_shared(self.rows, chosen), members, targets)


@dataclass(frozen=True, eq=False)
class MicroBatch:
    """Rollouts as they go through the model; its targets stand in the order of `targets`."""

    packed: TokenBatch
    members: NDArray[np.int64]  # rows of the batch, as `packed.rows` counts them
    targets: NDArray[np.int64]  # of the batch
