"""Text becomes token ids here and nowhere else.

A text is `special-left, prefix + body, suffix, special-right[, terminal]`. Over-long texts lose the end of their body;
the prompt and the special tokens always stay, and a prompt that leaves no room for a body is an error.

A text that gives no token at all (an empty one, where the tokenizer adds no special tokens) is one padding token that is
attended to: such texts share one finite vector, where no token would give a NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError, ModelError, SettingsError
from ray_pipeline.text.cutting import Cutter
from ray_pipeline.text.prompts import Wrapped


@dataclass(frozen=True)
class Tokens:
    """Token ids of many texts, end to end: text i is `ids[offsets[i]:offsets[i + 1]]`."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    truncated: int  # texts that lost the end of their body

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)


def end_to_end(pieces: Sequence[Sequence[int]], truncated: int = 0) -> Tokens:
    """Each piece a text."""
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    flat = np.fromiter((token for piece in pieces for token in piece), np.int32, int(offsets[-1]))
    return Tokens(flat, offsets, truncated)


def joined(texts: Sequence[NDArray[np.int32]]) -> Tokens:
    """Each array a text."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(one) for one in texts], dtype=np.int64)])
    return Tokens(np.concatenate(texts).astype(np.int32, copy=False) if texts else np.zeros(0, np.int32), offsets, 0)


class TextEncoder:
    """A tokenizer with a length limit and, for some decoders, a terminal token."""

    def __init__(self, folder: Path, max_length: int, terminal_token: str | None = None) -> None:
        self._cutter = Cutter(folder)
        self.max_length = max_length
        self.pad_id = self._cutter.pad_id
        self.left, self.right = self._cutter.specials()
        if terminal_token is not None:
            self.right = self._with_terminal(folder, terminal_token)
        self._room = max_length - len(self.left) - len(self.right)
        if self._room < 1:
            raise SettingsError(f"max_length={max_length} leaves no room beside {len(self.left) + len(self.right)} special tokens")

    def _with_terminal(self, folder: Path, token: str) -> list[int]:
        terminal = self._cutter.tokenizer.token_to_id(token)
        if terminal is None:
            raise ModelError(f"{folder}: terminal_token {token!r} is not in the vocabulary")
        return self.right if self.right[-1:] == [terminal] else [*self.right, terminal]

    def around(self, bodies: Sequence[Sequence[int]]) -> Tokens:
        """Token ids that were made elsewhere, by the same tokenizer and without its special tokens, with these around them. No
        prompt: where it would merge with the text cannot be told any more."""
        size = self._cutter.tokenizer.get_vocab_size(with_added_tokens=True)
        for row, ids in enumerate(bodies):
            unknown = next((one for one in ids if not 0 <= one < size), None)
            if unknown is not None:
                raise DataError(f"text {row} holds the token id {unknown}, and the tokenizer knows {size:,}; send ids of this model's own tokenizer")
        truncated = sum(len(ids) > self._room for ids in bodies)
        return end_to_end([[*self.left, *ids[: self._room], *self.right] or [self.pad_id] for ids in bodies], truncated)

    def encode(self, bodies: Sequence[str], wrapped: Wrapped) -> Tokens:
        """Token ids of `prefix + body + suffix` for each body, within `max_length`."""
        found, truncated = self._cutter.bodies(bodies, wrapped, self._room, f"max_length={self.max_length}")
        return end_to_end([self.left + ids + self.right or [self.pad_id] for ids in found], truncated)
