"""A reference policy's log-likelihoods of pairs, shard by shard.

A shard is a stretch of a split's pairs. One side of the work reads it; the other, which holds the model, measures both answers of each pair.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ray_pipeline.artifacts import load, parquet_bytes, write_shard
from ray_pipeline.data.pair_rows import pair_rows
from ray_pipeline.data.reference_rows import reference_table
from ray_pipeline.errors import ModelError
from ray_pipeline.models.adaptation import Adaptation
from ray_pipeline.models.policy.settings import PolicySettings
from ray_pipeline.storage import Location
from ray_pipeline.text.learned_tokens import LearnedTokens
from ray_pipeline.text.tokens import Tokens

if TYPE_CHECKING:
    from ray_pipeline.models.policy.policy import Policy


@dataclass(frozen=True)
class ReadPairs:
    """Reads the pairs of a shard."""

    pairs: str  # URI of the artifact

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        rows = pair_rows(load(self.pairs, "pairs"), shard["split"], shard["start"], shard["stop"])
        both = LearnedTokens.joined([rows.chosen, rows.rejected])
        keys = json.dumps(rows.ids)
        return {"ids": both.tokens.ids, "offsets": both.tokens.offsets, "learned": both.learned, "keys": keys}


@dataclass(frozen=True)
class MakeReferenceShard:
    """Makes the worker on whatever device it is given. The model is held and asked as the training holds and asks it: bf16 against fp32 alone
    would be a difference of its own."""

    model: PolicySettings
    adaptation: Adaptation
    precision: Literal["fp32", "bf16"]
    token_budget: int
    packing: bool
    artifact: str
    prefix: str

    def __call__(self, device: str) -> ReferenceShard:
        from ray_pipeline.models.adapters import training_weights  # torch: only where a model is loaded, not in reading tasks
        from ray_pipeline.models.policy.policy import Policy

        weights = training_weights(self.adaptation, self.precision)
        return ReferenceShard(self, Policy(self.model, device, weights, packing=self.packing))


class ReferenceShard:
    """Holds the model; turns pairs into sums and their record."""

    def __init__(self, plan: MakeReferenceShard, policy: Policy) -> None:
        self.plan, self.policy = plan, policy

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        import torch

        started = time.time()
        tokens = Tokens(np.asarray(payload["ids"]), np.asarray(payload["offsets"]), 0)
        rows = LearnedTokens(tokens, np.asarray(payload["learned"]))
        with torch.autocast(self.policy.device.type, torch.bfloat16, enabled=self.plan.precision == "bf16"):
            found = self.policy.measure(rows, self.plan.token_budget)
        keys = json.loads(payload["keys"])
        bad = np.flatnonzero(~np.isfinite(found.sums))
        if len(bad):
            raise ModelError(f"pair {keys[bad[0] % len(keys)]!r}: its log-likelihood is NaN or infinite; try model.precision=fp32 or bf16")
        table = reference_table(keys, found.sums.reshape(2, -1).T)
        extra = {"counts": {"pairs": len(keys), "tokens": len(tokens.ids)}, "started": started, "ended": time.time()}
        return write_shard(Location.of(self.plan.artifact), self.plan.prefix, payload["shard"], parquet_bytes(table), len(keys), extra)
