"""A tokenizer without its special tokens: wrapped texts become ids, and what is too long loses the end of its body.

The special ids that a tokenizer puts around texts are read off it by a probe that marks them, so its own template is honoured,
whatever it is.

Rules for odd input: null and half surrogate pairs are errors (the readers have replaced the latter before).

Trap: Arrow and Rust know no half surrogate pairs, Python's `str` does, and a tokenizer's own complaint names no text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers

from ray_pipeline.errors import DataError, ModelError, SettingsError
from ray_pipeline.text.prompts import Wrapped


class Cutter:
    """The tokenizer in a model's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokenizer = _read_tokenizer(folder)
        self.pad_id = _pad_id(folder, self.tokenizer)

    def plain(self, text: str) -> list[int]:
        """The ids of a piece of a prompt; special tokens that it spells out are what they spell."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def specials(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after one text."""
        probe = self.tokenizer.encode("a", add_special_tokens=True)
        bare = self.plain("a")
        own = [place for place, special in enumerate(probe.special_tokens_mask) if not special]
        if not bare or [probe.ids[place] for place in own] != bare or own[-1] - own[0] + 1 != len(own):
            raise ModelError(f"this tokenizer is not supported: its special tokens cannot be told from the text ('a' is {bare}, then {probe.ids})")
        return probe.ids[: own[0]], probe.ids[own[-1] + 1 :]

    def specials_of_two(self) -> tuple[list[int], list[int], list[int]]:
        """What it puts before, between and after two texts."""
        probe = self.tokenizer.encode("a", "a", add_special_tokens=True)
        bare = self.plain("a")
        own = [place for place, special in enumerate(probe.special_tokens_mask) if not special]
        if not bare or [probe.ids[place] for place in own] != bare + bare:
            raise ModelError(f"this tokenizer is not supported: its special tokens cannot be told from two texts ('a' is {bare}, then {probe.ids})")
        first, second = own[: len(bare)], own[len(bare) :]
        return probe.ids[: first[0]], probe.ids[first[-1] + 1 : second[0]], probe.ids[second[-1] + 1 :]

    def bodies(self, bodies: Sequence[str], wrapped: Wrapped, room: int, limit: str) -> tuple[list[list[int]], int]:
        """Ids of `prefix + body + suffix` for each body, at most `room` of them, and how many bodies lost their end.

        `limit` is the setting that leaves this room, for the error where it leaves none for a body.
        """
        found: list[list[int]] = []
        truncated = 0
        for body, ids in zip(bodies, self._tokenize(bodies, wrapped), strict=True):
            too_long = len(ids) > room
            truncated += too_long
            found.append(self._cut(body, ids, wrapped, room, limit) if too_long else ids)
        return found, truncated

    def _tokenize(self, bodies: Sequence[str], wrapped: Wrapped) -> list[list[int]]:
        wrong = next((at for at, body in enumerate(bodies) if not isinstance(body, str)), None)
        if wrong is not None:
            raise DataError(f"text {wrong} is {type(bodies[wrong]).__name__}, not a string; leave it out, or give an empty string")
        texts = [wrapped.prefix + body + wrapped.suffix for body in bodies]
        try:
            return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        except TypeError as problem:
            half = next((at for at, text in enumerate(texts) if any("\ud800" <= letter <= "\udfff" for letter in text)), None)
            if half is None:
                raise
            raise DataError(
                f"text {half}, {bodies[half][:40]!a}, holds half a surrogate pair, which is no character; "
                "replace it (`text.encode('utf-8', 'replace').decode()`)"
            ) from problem

    def _cut(self, body: str, ids: list[int], wrapped: Wrapped, room: int, limit: str) -> list[int]:
        """`ids` without the end of the body; a token that reaches into the suffix belongs to the suffix."""
        if not wrapped.prefix and not wrapped.suffix:
            return ids[:room]
        end_of_body = len(wrapped.prefix) + len(body)
        spans = self.tokenizer.encode(wrapped.prefix + body + wrapped.suffix, add_special_tokens=False).offsets
        head = sum(1 for _, end in spans if end <= len(wrapped.prefix))
        tail = sum(1 for _, end in spans if end > end_of_body)
        if head + tail >= room:
            raise SettingsError(f"{limit} leaves no room for the text beside the prompt ({head} tokens before it, {tail} after)")
        return ids[: room - tail] + ids[len(ids) - tail :]


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
