"""A decoder's scores of one query's documents in one pass: the query is read once, and every document behind it.

The tokens of a query (its head) and of all its documents (the bodies) stand in one row; each body sees the head and itself
(`prefix_attention.py`), and positions count on from the head in each. To every token the row looks like its own pair alone, so the
scores are those of plain pairs up to rounding, for a fraction of the tokens: H + n B in place of n (H + B).

It is exact where a token's state depends on the tokens before it through attention alone, and all of them are within sight: no
recurrent layers, no sliding windows. `can_share` says whether a model is of that kind; others score pair by pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ray_pipeline.models.answering import answering
from ray_pipeline.models.prefix_attention import PrefixLayout, prefix_attention
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.text.pairs import PairTokens


def can_share(reranker: Reranker) -> bool:
    """Whether the model reads a row of many documents as it reads each pair."""
    config = reranker.backbone.config
    if reranker.settings.kind != "causal" or not reranker.backbone._supports_attention_backend:
        return False
    kinds = getattr(config, "layer_types", None)
    return all(kind == "full_attention" for kind in kinds) if kinds else not getattr(config, "sliding_window", None)


@dataclass(frozen=True, eq=False)
class SharedRow:
    """One query with some of its documents."""

    pairs: NDArray[np.int64]  # [n] which pairs these are
    ids: Tensor  # [1, T]
    positions: Tensor  # [1, T]
    layout: PrefixLayout
    last: Tensor  # [n] where each pair's last token stands


@torch.inference_mode()
def shared_scores(reranker: Reranker, pairs: PairTokens, token_budget: int) -> NDArray[np.float32]:
    """Scores of tokenised pairs, in their order, without dropout."""
    scores = np.empty(len(pairs), dtype=np.float32)
    with answering(reranker), prefix_attention(reranker.backbone):
        for row in shared_rows(pairs, token_budget, reranker.device):
            states = reranker.states(row.ids, None, position_ids=row.positions, layout=row.layout)[0, row.last]
            scores[row.pairs] = reranker.word_scores(states).cpu().numpy()
    return scores


def shared_rows(pairs: PairTokens, token_budget: int, device: torch.device) -> Iterator[SharedRow]:
    """Each query with as many of its documents as the budget holds, one at least."""
    order = np.argsort(pairs.query_of, kind="stable")
    for query, members in zip(*_runs(pairs.query_of[order], order), strict=True):
        head = pairs.heads.ids[pairs.heads.offsets[query] : pairs.heads.offsets[query + 1]]
        lengths = pairs.bodies.lengths[members]
        for chosen in _filled(lengths, token_budget - len(head)):
            yield _row(pairs, head, members[chosen], device)


def _runs(sorted_queries: NDArray[np.int64], order: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    queries, starts = np.unique(sorted_queries, return_index=True)
    return queries, np.split(order, starts[1:]) if len(queries) else []


def _filled(lengths: NDArray[np.int64], room: int) -> Iterator[NDArray[np.int64]]:
    """Stretches of at most `room` tokens."""
    start, used = 0, 0
    for at, length in enumerate(lengths.tolist()):
        if at > start and used + length > room:
            yield np.arange(start, at)
            start, used = at, 0
        used += length
    if start < len(lengths):
        yield np.arange(start, len(lengths))


def _row(pairs: PairTokens, head: NDArray[np.int32], members: NDArray[np.int64], device: torch.device) -> SharedRow:
    bodies = [pairs.bodies.ids[pairs.bodies.offsets[pair] : pairs.bodies.offsets[pair + 1]] for pair in members]
    lengths = np.array([len(body) for body in bodies])
    starts = len(head) + np.cumsum(lengths) - lengths
    within = np.arange(lengths.max())
    places = starts[:, None] + np.minimum(within, lengths[:, None] - 1)
    positions = np.concatenate([np.arange(len(head)), *(len(head) + within[:length] for length in lengths)])
    ids = np.concatenate([head, *bodies]).astype(np.int64)
    back = np.flatnonzero(within < lengths[:, None])
    row, counted, place, of_bodies, last = (torch.from_numpy(one).to(device) for one in (ids, positions, places, back, places[:, -1]))
    return SharedRow(members, row[None], counted[None], PrefixLayout(len(head), place, of_bodies), last)
