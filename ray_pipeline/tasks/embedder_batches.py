"""A batch of an embedder's training on one rank: its texts as tokens, and what is known of the whole batch.

Every rank draws the whole batch (integers, cheap) and tokenises only its own queries and their documents. Vectors are
gathered rank by rank, so a rank's documents must be told apart: `columns` says where they stand among all.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from ray_pipeline.data.drawing import Drawn, draw
from ray_pipeline.data.training_set import TrainingSet
from ray_pipeline.models.text_input import TextInput
from ray_pipeline.objectives.batch_facts import BatchFacts, KnownPositives
from ray_pipeline.text.tokens import Tokens
from ray_pipeline.training.distributed import Group


@dataclass(frozen=True, eq=False)
class EmbedderBatch:
    """Q queries and D documents of all ranks; the texts of one."""

    facts: BatchFacts
    columns: tuple[NDArray[np.int64], ...]  # of each rank, which of the D documents it embeds
    tokens: Mapping[str, Tokens]  # of each model ("model", "guide"): this rank's queries, then its documents

    @property
    def queries(self) -> range:
        return self.facts.rows


@dataclass(frozen=True, eq=False)
class BatchMaker:
    """Makes batches out of rows of the training set."""

    data: TrainingSet
    inputs: Mapping[str, TextInput]
    seed: int
    negatives: int
    group: Group

    def __call__(self, rows: NDArray[np.int64], epoch: int) -> EmbedderBatch:
        drawn = draw(self.data, rows, self.seed, epoch, self.negatives)
        mine = self.group.share(len(rows))
        bounds = [len(rows) * rank // self.group.world for rank in range(self.group.world + 1)]
        columns = tuple(np.flatnonzero((drawn.owner >= low) & (drawn.owner < high)) for low, high in itertools.pairwise(bounds))
        queries = self.data.queries.take(pa.array(drawn.queries[mine])).to_pylist()
        documents = self.data.documents.take(pa.array(drawn.documents[columns[self.group.rank]])).to_pylist()
        tokens = {name: joined(one.tokens(queries, "query"), one.tokens(documents, "document")) for name, one in self.inputs.items()}
        return EmbedderBatch(self._facts(drawn, range(mine.start, mine.stop)), columns, tokens)

    def _facts(self, drawn: Drawn, rows: range) -> BatchFacts:
        data, device = self.data, self.group.device

        def tensor(array: NDArray[np.generic]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        known = KnownPositives(tensor(drawn.known.indptr), tensor(drawn.known.docs), tensor(data.doc_hashes[drawn.known.docs]))
        return BatchFacts(
            rows,
            own=tensor(drawn.own),
            doc_id=tensor(drawn.documents),
            doc_text=tensor(data.doc_hashes[drawn.documents]),
            query_text=tensor(data.query_hashes[drawn.queries]),
            query_group=tensor(data.groups[drawn.queries]),
            doc_group=tensor(data.doc_groups[drawn.documents]),
            known=known,
            teacher=None if drawn.teacher is None else tensor(drawn.teacher),
            weight=tensor(data.weights[drawn.queries]),
        )


def joined(first: Tokens, second: Tokens) -> Tokens:
    """The texts of both, one after the other."""
    offsets = np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]])
    return Tokens(np.concatenate([first.ids, second.ids]), offsets, first.truncated + second.truncated)
