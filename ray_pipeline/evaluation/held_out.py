"""Which of a split's rows are measured while a model trains, and which of them by this rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.training.distributed import Group


def rows_of_rank(rows: int, share: float, seed: int, group: Group) -> NDArray[np.int64]:
    """This rank's part of a seeded share of so many rows."""
    kept = np.arange(rows)
    if share < 1:
        kept = np.sort(np.random.default_rng(seed).permutation(rows)[: max(1, round(share * rows))])
    if len(kept) < group.world:  # a rank without a row could not take part where every pass is a collective
        raise DataError(f"{len(kept)} held out rows for {group.world} workers; hold out more, or raise train.evaluation.query_share")
    return kept[group.share(len(kept))]
