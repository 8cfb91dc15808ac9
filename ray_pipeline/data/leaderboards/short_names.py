"""Short names of a hand-made document, and the models they stand for.

A rule is `SHORT=FULL`. Where SHORT ends in `-`, or is empty, it is the beginning of names: `sft-=sft-25-original-data-1b-dpo-`
makes `sft-qfs` of that family; the longest beginning that fits is meant. Else it is a whole name: `sft=sft-25-original-data-1b`.
A name that a table has is never short for another.

Trap. No rule without a list of them would do: `pvf-qts` is the end of two models' names, and means the one without `sft`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from ray_pipeline.errors import SettingsError

USUAL_SHORT_NAMES: Final = ("sft=sft-25-original-data-1b", "sft-=sft-25-original-data-1b-dpo-", "=startcode1b-original-data-dpo-")


@dataclass(frozen=True)
class ShortNames:
    """Rules in two kinds: whole names, and beginnings with the longest first."""

    whole: tuple[tuple[str, str], ...]
    beginnings: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, rules: Sequence[str]) -> ShortNames:
        pairs = []
        for rule in rules:
            short, equals, full = rule.partition("=")
            if not equals or not full:
                raise SettingsError(f"{rule!r} says not what is short for what; give SHORT=FULL, e.g. {USUAL_SHORT_NAMES[1]}")
            pairs.append((short, full))
        beginnings = sorted((pair for pair in pairs if pair[0].endswith("-") or not pair[0]), key=lambda pair: -len(pair[0]))
        return cls(tuple(pair for pair in pairs if pair not in beginnings), tuple(beginnings))

    def full(self, written: str, models: Collection[str]) -> str | None:
        """The model of `models` that is meant, None for a name that means none of them."""
        if written in models:
            return written
        for short, full in self.whole:
            if written == short:
                return full if full in models else None
        for short, full in self.beginnings:
            if written.startswith(short):
                name = full + written.removeprefix(short)
                return name if name in models else None
        return None

    def words_for(self, model: str) -> tuple[str, ...]:
        """The whole short names of a model, and its own."""
        return (model, *(short for short, full in self.whole if full == model))
