"""Which texts of a batch are embedded together when their vectors are cached.

All texts of the batch, queries and documents alike, are one pool: the prompts are inside the tokens, so the model treats
both the same, and one pool sorted by length pads least. Texts that occur twice are embedded twice, since under dropout
they are two draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.text.batches import plan_batches


@dataclass(frozen=True)
class ChunkPlan:
    """The micro batches of one batch, longest texts first."""

    rows: tuple[NDArray[np.int64], ...]  # the texts of each chunk
    tokens: tuple[int, ...]  # padded tokens of each chunk: what its forward pass and its graph cost
    place: NDArray[np.int64]  # text i's vector is row place[i] of all chunks' vectors end to end

    def __len__(self) -> int:
        return len(self.rows)

    def graphs_within(self, keep_tokens: int) -> int:
        """How many chunks, counted from the last, have at most `keep_tokens` padded tokens together: `cached_backward`'s `kept`."""
        return int(np.searchsorted(np.cumsum(self.tokens[::-1]), keep_tokens, side="right"))


def plan_chunks(lengths: NDArray[np.int64], token_budget: int, max_rows: int) -> ChunkPlan:
    """Chunks of at most `max_rows` texts and `token_budget` padded tokens; a longer text is a chunk of its own."""
    if not len(lengths):
        raise DataError("a batch without texts cannot be embedded; leave empty batches out of the source")
    rows = tuple(plan_batches(lengths, token_budget, max_rows))
    place = np.empty(len(lengths), dtype=np.int64)
    place[np.concatenate(rows)] = np.arange(len(lengths))
    return ChunkPlan(rows, tuple(len(chunk) * int(lengths[chunk].max()) for chunk in rows), place)
