"""Rows of token ids, end to end, with what of them is learned; and how rows are put together to go through a model.

* a pack      several rows one behind the other; positions begin anew in each, and none sees another
* a padded    batch: rows beside each other, as long as the longest

In both, what is predicted is listed by place: the state at a token predicts the next token of its row, so a row's first token is never
a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.text.batches import pad, plan_batches
from ray_pipeline.text.packing import best_fit
from ray_pipeline.text.tokens import Tokens


@dataclass(frozen=True, eq=False)
class LearnedTokens:
    """`learned`: one truth value a token, end to end as the ids."""

    tokens: Tokens
    learned: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: NDArray[np.int64]) -> LearnedTokens:
        offsets = self.tokens.offsets
        spans = [slice(offsets[row], offsets[row + 1]) for row in rows]
        lengths = self.tokens.lengths[rows]
        ids = np.concatenate([self.tokens.ids[span] for span in spans]) if spans else self.tokens.ids[:0]
        learned = np.concatenate([self.learned[span] for span in spans]) if spans else self.learned[:0]
        return LearnedTokens(Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), 0), learned)

    @staticmethod
    def joined(parts: Sequence[LearnedTokens]) -> LearnedTokens:
        """The rows of all, in their order."""
        lengths = np.concatenate([part.tokens.lengths for part in parts])
        ids, learned = np.concatenate([part.tokens.ids for part in parts]), np.concatenate([part.learned for part in parts])
        return LearnedTokens(Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), 0), learned)

    def targets(self) -> NDArray[np.int64]:
        """[rows] how many tokens of each are learned."""
        counted = np.concatenate([[0], np.cumsum(self._predicted())])
        return np.diff(counted[self.tokens.offsets]).astype(np.int64)

    def _predicted(self) -> NDArray[np.bool_]:
        """What is learned and has a token before it."""
        found = self.learned.copy()
        found[self.tokens.offsets[:-1][self.tokens.lengths > 0]] = False
        return found


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """Rows as they go through a model. `places`: where in the flattened batch the states stand that predict `targets`, of row `rows`."""

    ids: NDArray[np.int64]  # [batch, length]
    positions: NDArray[np.int64]  # [batch, length]
    mask: NDArray[np.int64] | None  # [batch, length]; of padding; None where there is none
    segments: tuple[int, ...] | None  # of a pack: its rows' lengths
    places: NDArray[np.int64]
    targets: NDArray[np.int64]
    rows: NDArray[np.int64]  # counted within the batch
    heads: tuple[int, ...] | None = None  # of a pack whose rows share beginnings: the place of the segment that each continues


def pack(given: LearnedTokens) -> TokenBatch:
    """All rows behind one another."""
    tokens, predicted = given.tokens, np.flatnonzero(given._predicted())
    starts = np.repeat(tokens.offsets[:-1], tokens.lengths)
    return TokenBatch(
        ids=tokens.ids.astype(np.int64)[None],
        positions=(np.arange(len(tokens.ids)) - starts)[None],
        mask=None,
        segments=tuple(tokens.lengths.tolist()),
        places=predicted - 1,
        targets=tokens.ids[predicted].astype(np.int64),
        rows=np.searchsorted(tokens.offsets, predicted, side="right") - 1,
    )


def padded(given: LearnedTokens, pad_id: int) -> TokenBatch:
    """All rows beside each other."""
    tokens, predicted = given.tokens, np.flatnonzero(given._predicted())
    ids, mask = pad(tokens.ids, tokens.offsets, np.arange(len(tokens)), pad_id)
    rows = np.searchsorted(tokens.offsets, predicted, side="right") - 1
    places = rows * ids.shape[1] + predicted - tokens.offsets[rows] - 1
    positions = np.tile(np.arange(ids.shape[1]), (len(ids), 1))
    return TokenBatch(ids, positions, mask, None, places, tokens.ids[predicted].astype(np.int64), rows)


def plan_rows(lengths: NDArray[np.int64], token_budget: int, *, packing: bool) -> list[NDArray[np.int64]]:
    """The rows of each micro batch: of so many tokens at most, padding included. A row that is longer has one for itself."""
    if not packing:
        return plan_batches(lengths, token_budget, max(1, len(lengths)))
    alone = [np.array([row]) for row in np.flatnonzero(lengths > token_budget)]
    within = np.flatnonzero(lengths <= token_budget)
    return alone + [within[rows] for rows in best_fit(lengths[within], token_budget)]
