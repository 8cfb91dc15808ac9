"""A batch of a preference optimisation on one rank, and how its pairs go through the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.data.pair_rows import PairRows
from ray_pipeline.text.learned_tokens import LearnedTokens, plan_rows
from ray_pipeline.training.distributed import Group


@dataclass(frozen=True, eq=False)
class PairBatch:
    """n pairs. `reference`: [n, 2] where it is known before."""

    chosen: LearnedTokens
    rejected: LearnedTokens
    weights: NDArray[np.float64]
    reference: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def tokens(self) -> int:
        return len(self.chosen.tokens.ids) + len(self.rejected.tokens.ids)

    def micro_batches(self, token_budget: int, *, packing: bool) -> list[tuple[NDArray[np.int64], LearnedTokens]]:
        """The pairs of each, and their rows: all preferred answers, then all others. A pair's answers go together: one loss needs both."""
        one, other = self.chosen.tokens.lengths, self.rejected.tokens.lengths
        lengths = one + other if packing else 2 * np.maximum(one, other)
        plan = plan_rows(lengths, token_budget, packing=packing)
        return [(pairs, LearnedTokens.joined([self.chosen.take(pairs), self.rejected.take(pairs)])) for pairs in plan]


@dataclass(frozen=True, eq=False)
class PairMaker:
    """Makes batches out of pairs; `weights`: of the mixture."""

    pairs: PairRows
    weights: NDArray[np.float64]
    reference: NDArray[np.float64] | None
    group: Group

    def __call__(self, rows: NDArray[np.int64], epoch: int) -> PairBatch:
        mine = rows[self.group.share(len(rows))]
        weights = self.weights[mine] * self.pairs.weights[mine]
        reference = None if self.reference is None else self.reference[mine]
        return PairBatch(self.pairs.chosen.take(mine), self.pairs.rejected.take(mine), weights, reference)
