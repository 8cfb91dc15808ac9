"""A batch of a reranker's training on one rank: its queries' lists as token pairs, and what is known of them.

Every rank draws the whole batch (integers, cheap) and tokenises only its own queries' lists. A list is a query's drawn positive,
then its drawn negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from ray_pipeline.data.drawing import NONE, draw
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.models.pair_input import PairInput
from ray_pipeline.text.pairs import PairTokens
from ray_pipeline.training.distributed import Group


@dataclass(frozen=True, eq=False)
class RerankerBatch:
    """q queries of one rank, each with a list of up to 1 + K documents."""

    pairs: PairTokens  # list after list
    listed: Tensor  # [q, 1 + K] which places of the lists are filled: pair p is the p-th of them
    teacher: Tensor | None  # [q, 1 + K] the teacher's scores, NaN where unknown
    weight: Tensor  # [q]


@dataclass(frozen=True, eq=False)
class ListMaker:
    """Makes batches out of rows of the training set."""

    data: TrainingSet
    pair_input: PairInput
    seed: int
    negatives: int
    group: Group

    def __call__(self, rows: NDArray[np.int64], epoch: int) -> RerankerBatch:
        drawn = draw(self.data, rows, self.seed, epoch, self.negatives)
        mine = self.group.share(len(rows))
        own = drawn.own[mine]
        listed = own != NONE
        queries = self.data.queries.take(pa.array(drawn.queries[mine])).to_pylist()
        documents = self.data.documents.take(pa.array(drawn.documents[own[listed]])).to_pylist()
        pairs = self.pair_input.encoder.encode(queries, documents, np.nonzero(listed)[0])
        teacher = None if drawn.teacher is None else self._tensor(drawn.teacher[mine])
        return RerankerBatch(pairs, self._tensor(listed), teacher, self._tensor(self.data.weights[drawn.queries[mine]]))

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.group.device)
