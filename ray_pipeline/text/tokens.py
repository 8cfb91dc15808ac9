"""Text becomes token ids here and nowhere else.

A text is `special-left, prefix + body, suffix, special-right[, terminal]`. Over-long texts lose the end of their body;
the suffix and the special tokens always stay. The special ids are read off the tokenizer once, by encoding a probe
with and without them, so any tokenizer's own template is honoured.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ray_pipeline.errors import ModelError, SettingsError
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


class TextEncoder:
    """A tokenizer with a length limit and, for some decoders, a terminal token."""

    def __init__(self, folder: Path, max_length: int, terminal_token: str | None = None) -> None:
        file = folder / "tokenizer.json"
        if not file.exists():
            raise ModelError(f"{folder}: no tokenizer.json; save the model with its fast tokenizer (`tokenizer.save_pretrained`)")
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.max_length = max_length
        self.pad_id = _pad_id(folder, self._tokenizer)
        self.left, self.right = self._special_ids()
        if terminal_token is not None:
            self.right = self._with_terminal(folder, terminal_token)
        if max_length <= len(self.left) + len(self.right):
            raise SettingsError(f"max_length={max_length} leaves no room beside {len(self.left) + len(self.right)} special tokens")

    def _special_ids(self) -> tuple[list[int], list[int]]:
        bare = self._tokenizer.encode("a", add_special_tokens=False).ids
        full = self._tokenizer.encode("a", add_special_tokens=True).ids
        for start in range(len(full) - len(bare) + 1):
            if full[start : start + len(bare)] == bare:
                return full[:start], full[start + len(bare) :]
        raise ModelError(f"special tokens change the text itself: {bare} became {full}; this tokenizer is not supported")

    def _with_terminal(self, folder: Path, token: str) -> list[int]:
        terminal = self._tokenizer.token_to_id(token)
        if terminal is None:
            raise ModelError(f"{folder}: terminal_token {token!r} is not in the vocabulary")
        return self.right if self.right[-1:] == [terminal] else [*self.right, terminal]

    def encode(self, bodies: Sequence[str], wrapped: Wrapped) -> Tokens:
        """Token ids of `prefix + body + suffix` for each body, within `max_length`."""
        texts = [wrapped.prefix + body + wrapped.suffix for body in bodies] if wrapped != ("", "") else list(bodies)
        room = self.max_length - len(self.left) - len(self.right)
        pieces: list[list[int]] = []
        truncated = 0
        for body, encoding in zip(bodies, self._tokenizer.encode_batch_fast(texts, add_special_tokens=False), strict=True):
            ids = encoding.ids
            if len(ids) > room:
                truncated += 1
                ids = self._cut(body, ids, room, wrapped)
            pieces.append(self.left + ids + self.right)
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        flat = np.fromiter((token for piece in pieces for token in piece), np.int32, int(offsets[-1]))
        return Tokens(flat, offsets, truncated)

    def _cut(self, body: str, ids: list[int], room: int, wrapped: Wrapped) -> list[int]:
        if not wrapped.suffix:
            return ids[:room]
        end_of_body = len(wrapped.prefix) + len(body)
        text = wrapped.prefix + body + wrapped.suffix
        spans = self._tokenizer.encode(text, add_special_tokens=False).offsets
        tail = sum(1 for start, end in spans if end > end_of_body)
        if tail >= room:
            raise SettingsError(f"max_length={self.max_length} leaves no room for the body beside the prompt's suffix ({tail} tokens)")
        return ids[: room - tail] + ids[len(ids) - tail :]


def _pad_id(folder: Path, tokenizer: Tokenizer) -> int:
    """The padding id: the tokenizer's own, else 0 (padding is masked everywhere, so any valid id will do)."""
    settings = folder / "tokenizer_config.json"
    name = json.loads(settings.read_text()).get("pad_token") if settings.exists() else None
    if isinstance(name, dict):
        name = name.get("content")
    found = tokenizer.token_to_id(name) if name else None
    return found if found is not None else 0
