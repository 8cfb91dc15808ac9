"""A query and its passages become token ids: what comes before a passage once for each query, the rest for each pair.

A pair's ids are `head + query + middle` and then `passage + tail`, with the special tokens that its tokenizer puts around texts. A pair
that is longer than `max_length` loses the end of its passage, down to one token; before that, a query longer than
`query_max_length` loses its end. The prompt always stays whole, and one that leaves no room is an error.

Only the prompt `pair` (encoders) uses the tokenizer's template for two texts, with its token types; the causal prompts take its
special tokens for one text, as FlagEmbedding does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import SettingsError
from ray_pipeline.text.cutting import Cutter
from ray_pipeline.text.pair_prompts import PairPieces, PairPrompt
from ray_pipeline.text.tokens import Tokens, end_to_end


@dataclass(frozen=True)
class PairTokens:
    """Pair i is `heads[query_of[i]]` followed by `bodies[i]`."""

    heads: Tokens  # one a query: all that comes before a passage
    bodies: Tokens  # one a pair: the passage and all that comes after it
    query_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.query_of)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[pairs] of the whole pair."""
        return self.heads.lengths[self.query_of] + self.bodies.lengths

    def whole(self) -> tuple[Tokens, NDArray[np.int64]]:
        """Every pair written out, and [pairs] how many of its tokens come before the passage."""
        before = self.heads.lengths[self.query_of]
        pieces = [
            piece
            for pair, query in enumerate(self.query_of)
            for piece in (
                self.heads.ids[self.heads.offsets[query] : self.heads.offsets[query + 1]],
                self.bodies.ids[self.bodies.offsets[pair] : self.bodies.offsets[pair + 1]],
            )
        ]
        ids = np.concatenate(pieces) if pieces else np.zeros(0, np.int32)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths)])
        return Tokens(ids, offsets, self.bodies.truncated), before


class PairEncoder:
    """A reranker's tokenizer with its prompt and limits."""

    def __init__(self, folder: Path, prompt: PairPrompt, max_length: int, query_max_length: int | None = None) -> None:
        self._cutter = Cutter(folder)
        self.pad_id = self._cutter.pad_id
        self.max_length = max_length
        self._pieces: PairPieces = prompt.pieces()
        left, between, right = self._cutter.specials_of_two() if prompt.kind == "pair" else (self._cutter.specials()[0], [], [])
        self._head = left + [token for piece in self._pieces.head for token in self._cutter.plain(piece)]
        self._middle = [token for piece in self._pieces.middle for token in self._cutter.plain(piece)] + between
        self._tail = [token for piece in self._pieces.tail for token in self._cutter.plain(piece)] + right
        fixed = len(self._head) + len(self._middle) + len(self._tail)
        self._room = max_length - fixed  # for the query and the passage, each with what the prompt puts right around it
        least = len(self._cutter.plain(self._pieces.passage.prefix)) + 1
        self._query_room = min(query_max_length or self._room * 3 // 4, self._room - least)
        if self._query_room < 1:
            raise SettingsError(f"max_length={max_length} leaves no room for a query and a passage beside {fixed} tokens of the prompt")

    def plain(self, text: str) -> list[int]:
        """The ids of a piece of text by itself."""
        return self._cutter.plain(text)

    def encode(self, queries: Sequence[str], passages: Sequence[str], query_of: NDArray[np.int64]) -> PairTokens:
        """Pair i is `queries[query_of[i]]` with `passages[i]`."""
        asked, _ = self._cutter.bodies(queries, self._pieces.query, self._query_room, f"query_max_length={self._query_room}")
        heads = end_to_end([self._head + ids + self._middle for ids in asked])
        told, _ = self._cutter.bodies(passages, self._pieces.passage, self._room, f"max_length={self.max_length}")
        rooms = [self._room - len(asked[query]) for query in query_of.tolist()]
        truncated = sum(len(ids) > room for ids, room in zip(told, rooms, strict=True))
        bodies = [ids[:room] + self._tail for ids, room in zip(told, rooms, strict=True)]
        return PairTokens(heads, end_to_end(bodies, truncated), query_of)
