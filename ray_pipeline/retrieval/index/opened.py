"""A published index, opened for searching: its parts mapped from disk, one order over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact
from ray_pipeline.errors import SettingsError
from ray_pipeline.local_copy import local_file
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.exact.topk import merge
from ray_pipeline.retrieval.index.faiss_index import FaissIndex
from ray_pipeline.retrieval.index.part import IndexPart


@dataclass(frozen=True)
class Share:
    """The `number`-th of `count` stretches of a corpus, cut between parts of its index."""

    number: int = 0
    count: int = 1

    def parts(self, index: Artifact) -> tuple[range, int, int]:
        """The parts of this share, its first row and the row behind its last."""
        starts, rows = [int(start) for start in index.metrics["parts"]], int(index.manifest["rows"])
        if self.count > len(starts):
            raise SettingsError(
                f"{index.location.uri}: has {len(starts)} parts and cannot be shared by {self.count}; build it with a smaller index.part_rows"
            )
        begin, end = (len(starts) * at // self.count for at in (self.number, self.number + 1))
        return range(begin, end), starts[begin], starts[end] if end < len(starts) else rows


WHOLE = Share()


@dataclass(frozen=True)
class OpenedIndex:
    """Some parts of an index, or all of them."""

    parts: Sequence[IndexPart]
    dim: int

    @classmethod
    def of(cls, artifact: Artifact, share: Share = WHOLE) -> OpenedIndex:
        """The parts of a share, their rows counting from its first."""
        numbers, first, _ = share.parts(artifact)
        return cls([_part(artifact, number, first) for number in numbers], int(artifact.metrics["dim"]))

    def search(self, queries: NDArray[np.float32], k: int, keep: NDArray[np.bool_] | None = None) -> Ranking:
        """The best k documents of each query among the corpus rows where `keep`, by score and then by row, both descending."""
        return merge((part.search(queries, k, _of_part(part, keep)) for part in self.parts), k)


def _of_part(part: IndexPart, keep: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    return None if keep is None else keep[part.first : part.first + len(part)]


def _part(artifact: Artifact, number: int, first: int) -> IndexPart:
    metrics = artifact.metrics
    index = FaissIndex.mapped(local_file(artifact, f"index/{number:06d}.faiss"), metrics["factory"], metrics["parameters"])
    kept = artifact.manifest["settings"]["index"]
    vectors = None
    if kept["vectors"] != "none":
        vectors = np.load(local_file(artifact, f"vectors/{number:06d}.npy"), mmap_mode="r", allow_pickle=False)
    return IndexPart(index, vectors, int(metrics["parts"][number]) - first, float(kept["oversample"]))
