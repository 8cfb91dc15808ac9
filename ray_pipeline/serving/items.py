"""Texts and pairs as the items that models are given: token ids, made where requests come in, so that what waits is counted in tokens.

Nothing here needs a model, or torch: the process that answers HTTP loads tokenizers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.text.pairs import PairTokens
from ray_pipeline.text.tokens import Tokens

Ids: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True)
class QueryWithDocuments:
    """One query and some of its documents, as token ids: what a reranker reads in one go."""

    head: Ids
    bodies: Sequence[Ids]

    def length(self, *, shared: bool) -> int:
        """Tokens the model computes on: the query once, or once a document."""
        bodies = sum(map(len, self.bodies))
        return len(self.head) * (1 if shared else len(self.bodies)) + bodies


def items_of(pairs: PairTokens, *, shared: bool, token_budget: int) -> list[QueryWithDocuments]:
    """One query's documents in the order given, as many an item as a batch holds where the query is shared, else one."""
    head = _piece(pairs.heads, 0)
    bodies = [_piece(pairs.bodies, row) for row in range(len(pairs.bodies))]
    if not shared:
        return [QueryWithDocuments(head, [body]) for body in bodies]
    found: list[QueryWithDocuments] = []
    taken: list[Ids] = []
    room = token_budget - len(head)
    for body in bodies:
        if taken and sum(map(len, taken)) + len(body) > room:
            found.append(QueryWithDocuments(head, taken))
            taken = []
        taken.append(body)
    return [*found, QueryWithDocuments(head, taken)]


def texts_of(tokens: Tokens) -> list[Ids]:
    """Each text's ids."""
    return [_piece(tokens, row) for row in range(len(tokens))]


def _piece(tokens: Tokens, row: int) -> Ids:
    found: Ids = tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]]
    return found
