"""What of a batch goes through the model at a time, and what all ranks must agree on about it."""

from __future__ import annotations

from ray_pipeline.config import Settings, identity
from ray_pipeline.objectives.gradcache_chunks import ChunkPlan
from ray_pipeline.training.distributed import Group
from ray_pipeline.training.settings import DistributedSettings


class MicroBatchSettings(Settings):
    """What of a batch goes through the model at a time: memory and speed, and the last bits of the gradients."""

    token_budget: int = identity(4096, "padded tokens of one micro batch at most", ge=16)
    max_rows: int = identity(256, "texts of one micro batch at most", ge=1)
    keep_tokens: int = identity(16384, "padded tokens whose graphs may stay in memory, so that they need no second pass; 0: none", ge=0)


def agreed(plan: ChunkPlan, micro: MicroBatchSettings, distributed: DistributedSettings, group: Group) -> tuple[int, int | None]:
    """How many graphs all ranks keep, and how many passes all of them make (FSDP gathers weights in each)."""
    kept = -group.largest(-plan.graphs_within(micro.keep_tokens))
    return kept, None if distributed.strategy == "ddp" else group.largest(len(plan))
