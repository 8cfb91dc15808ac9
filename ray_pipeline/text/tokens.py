"""Text becomes token ids here and nowhere else.

A text is `special-left, prefix + body, suffix, special-right[, terminal]`. Over-long texts lose the end of their body;
the prompt and the special tokens always stay, and a prompt that leaves no room for a body is an error. The special ids
are read off the tokenizer once, from a probe that marks them, so any tokenizer's own template is honoured.

Rules for odd input. A text that gives no token at all (an empty one, where the tokenizer adds no special tokens) is one
padding token that is attended to: such texts share one finite vector, where no token would give a NaN. Null and half
surrogate pairs are errors; the readers have replaced the latter before.

Trap: Arrow and Rust know no half surrogate pairs, Python's `str` does, and a tokenizer's own complaint names no text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, normalizers

from ray_pipeline.errors import DataError, ModelError, SettingsError
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
        self._tokenizer = _read_tokenizer(folder)
        self.max_length = max_length
        self.pad_id = _pad_id(folder, self._tokenizer)
        self.left, self.right = self._special_ids()
        if terminal_token is not None:
            self.right = self._with_terminal(folder, terminal_token)
        self._room = max_length - len(self.left) - len(self.right)
        if self._room < 1:
            raise SettingsError(f"max_length={max_length} leaves no room beside {len(self.left) + len(self.right)} special tokens")

    def _special_ids(self) -> tuple[list[int], list[int]]:
        probe = self._tokenizer.encode("a", add_special_tokens=True)
        bare = self._tokenizer.encode("a", add_special_tokens=False).ids
        own = [place for place, special in enumerate(probe.special_tokens_mask) if not special]
        if not bare or [probe.ids[place] for place in own] != bare or own[-1] - own[0] + 1 != len(own):
            raise ModelError(f"this tokenizer is not supported: its special tokens cannot be told from the text ('a' is {bare}, then {probe.ids})")
        return probe.ids[: own[0]], probe.ids[own[-1] + 1 :]

    def _with_terminal(self, folder: Path, token: str) -> list[int]:
        terminal = self._tokenizer.token_to_id(token)
        if terminal is None:
            raise ModelError(f"{folder}: terminal_token {token!r} is not in the vocabulary")
        return self.right if self.right[-1:] == [terminal] else [*self.right, terminal]

    def encode(self, bodies: Sequence[str], wrapped: Wrapped) -> Tokens:
        """Token ids of `prefix + body + suffix` for each body, within `max_length`."""
        pieces: list[list[int]] = []
        truncated = 0
        for body, ids in zip(bodies, self._tokenize(bodies, wrapped), strict=True):
            if len(ids) > self._room:
                truncated += 1
                ids = self._cut(body, ids, wrapped)
            pieces.append(self.left + ids + self.right or [self.pad_id])
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        flat = np.fromiter((token for piece in pieces for token in piece), np.int32, int(offsets[-1]))
        return Tokens(flat, offsets, truncated)

    def _tokenize(self, bodies: Sequence[str], wrapped: Wrapped) -> list[list[int]]:
        wrong = next((at for at, body in enumerate(bodies) if not isinstance(body, str)), None)
        if wrong is not None:
            raise DataError(f"text {wrong} is {type(bodies[wrong]).__name__}, not a string; leave it out, or give an empty string")
        texts = [wrapped.prefix + body + wrapped.suffix for body in bodies]
        try:
            return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        except TypeError as problem:
            half = next((at for at, text in enumerate(texts) if any("\ud800" <= letter <= "\udfff" for letter in text)), None)
            if half is None:
                raise
            raise DataError(
                f"text {half}, {bodies[half][:40]!a}, holds half a surrogate pair, which is no character; "
                "replace it (`text.encode('utf-8', 'replace').decode()`)"
            ) from problem

    def _cut(self, body: str, ids: list[int], wrapped: Wrapped) -> list[int]:
        """`ids` without the end of the body; a token that reaches into the suffix belongs to the suffix."""
        if not wrapped.prefix and not wrapped.suffix:
            return ids[: self._room]
        end_of_body = len(wrapped.prefix) + len(body)
        spans = self._tokenizer.encode(wrapped.prefix + body + wrapped.suffix, add_special_tokens=False).offsets
        head = sum(1 for _, end in spans if end <= len(wrapped.prefix))
        tail = sum(1 for _, end in spans if end > end_of_body)
        if head + tail >= self._room:
            raise SettingsError(f"max_length={self.max_length} leaves no room for the text beside the prompt ({head} tokens before it, {tail} after)")
        return ids[: self._room - tail] + ids[len(ids) - tail :]


def _read_tokenizer(folder: Path) -> Tokenizer:
    file = folder / "tokenizer.json"
    if not file.exists():
        raise ModelError(f"{folder}: no tokenizer.json; save the model with its fast tokenizer (`tokenizer.save_pretrained`)")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as problem:  # tokenizers raises nothing narrower
        raise ModelError(f"{file}: cannot be read as a tokenizer: {problem}") from problem
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if _settings(folder / "sentence_bert_config.json").get("do_lower_case"):
        # sentence-transformers lower-cases before all else where the model says so
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *([tokenizer.normalizer] if tokenizer.normalizer else [])])
    return tokenizer


def _pad_id(folder: Path, tokenizer: Tokenizer) -> int:
    """The padding id: the tokenizer's own, else 0 (padding is masked everywhere, so any valid id will do)."""
    name = _settings(folder / "tokenizer_config.json").get("pad_token")
    if isinstance(name, dict):
        name = name.get("content")
    found = tokenizer.token_to_id(name) if name else None
    return found if found is not None else 0


def _settings(file: Path) -> dict[str, Any]:
    """What one of a model's JSON files says; nothing where it has no such file."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}
    except (ValueError, TypeError) as problem:
        raise ModelError(f"{file}: not a JSON object ({problem}); the file is damaged") from problem
