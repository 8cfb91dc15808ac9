"""What the sentences of a hand-made leaderboard say of its models: who is faster, more correct, or neither, than what.

The sentences are Chinese, of the kind `效率优于基准，但是pass@1不如基准` (faster than the baseline, but less correct), and may have
lost characters, each shown as U+FFFD: a word is known by what is left of it. Rules:

- A sentence names models, quantities (效率 and 时间 for speed, 准确率 and pass@1 for correctness), a verdict (优于 better, 不如 worse,
  持平 level) and what it is held against: 基准 is the document's best of a set, a model's own name or whole short name that model.
- A verdict belongs to the quantities before it that have none yet; without any it belongs to both.
- Another model or benchmark after a verdict begins another statement; what it does not name again it takes over.
- A statement is *exhaustive*, a list, where names stand below it, where it gives both verdicts in a benchmark's own section, or
  where it says that there is none (没有一个). Level is never a list.

Traps. 由于 is taken for 优于, which it is one key away from. Two lost characters before a name are read as 低于 (below): what else
they could be leaves a character that tells.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal, cast

from ray_pipeline.data.leaderboards.short_names import ShortNames

Verdict = Literal["better", "worse", "level"]
THE_BASELINE: Final = ""
"""In `references`: what the document calls the baseline."""

_LOST: Final = "\ufffd"
_TOKEN = re.compile(
    rf"(?P<correct>pass@1|[准{_LOST}]确[率{_LOST}]?)"
    r"|(?P<percent>\d+(?:\.\d+)?%)"
    r"|(?P<name>[a-z0-9](?:[a-z0-9.+_-]*[a-z0-9+])?)"
    rf"|(?P<faster>高效)|(?P<time>效[率{_LOST}]|时间)|(?P<none>没有一个)"
    rf"|(?P<level>[持{_LOST}]平)|(?P<better>[优由][于{_LOST}]|战胜|高)|(?P<worse>[不{_LOST}]如|[差低劣{_LOST}][于{_LOST}])|(?P<reference>基[准础])",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Statement:
    """One thing said: `names` as they were written, `references` models or THE_BASELINE; `percent` more Pass@1."""

    line: int
    names: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    speed: Verdict | None = None
    correctness: Verdict | None = None
    percent: Decimal | None = None
    exhaustive: bool = False

    @property
    def has_verdict(self) -> bool:
        return self.speed is not None or self.correctness is not None

    @property
    def divides(self) -> bool:
        """Whether it puts models on one side of both figures, as the lists do."""
        return {self.speed, self.correctness} <= {"better", "worse"}


@dataclass(frozen=True)
class Words:
    """What is a name here: benchmarks by the words for them, all models of the tables, the words that mean a delta table's baseline."""

    benchmarks: Mapping[str, str]
    models: Collection[str]
    short: ShortNames
    references: Mapping[str, str]

    def kind(self, word: str) -> str:
        if word.lower() in self.references:
            return "reference"
        if word.lower() in self.benchmarks:
            return "benchmark"
        return "number" if _NUMBER.fullmatch(word) else "model"

    def name_a_model(self, text: str) -> bool:
        """Whether a paragraph speaks of a model of the tables."""
        found = [token["name"] for token in _TOKEN.finditer(text) if token["name"]]
        return any(self.short.full(word, self.models) is not None for word in found)


def statements_of(line: int, text: str, benchmark: str | None, words: Words) -> list[Statement]:
    """The statements of a paragraph; `benchmark` is the section's, None where a paragraph speaks of all of them."""
    reading = _Reading(words, Statement(line, benchmarks=(benchmark,) if benchmark else ()))
    for token in _TOKEN.finditer(text):
        kind = str(token.lastgroup)
        reading.take(words.kind(token.group()) if kind == "name" else kind, token.group())
    found = [one for one in (*reading.done, reading.open) if one.has_verdict and one.references]
    return [replace(one, exhaustive=one.exhaustive or (benchmark is not None and one.divides)) for one in found]


class _Reading:
    """A paragraph as far as it was read: statements that are done, the open one, and quantities that wait for a verdict."""

    def __init__(self, words: Words, opened: Statement) -> None:
        self.words, self.open = words, opened
        self.done: list[Statement] = []
        self._waiting: set[str] = set()
        self._own_benchmarks = False  # those of the open statement were named in it, not taken over

    def take(self, kind: str, word: str) -> None:
        if kind in ("model", "benchmark") and self.open.has_verdict:
            self._begin_another(kind)
        if kind == "model":
            self.open = replace(self.open, names=(*self.open.names, word))
        elif kind == "benchmark":
            before = self.open.benchmarks if self._own_benchmarks else ()
            self.open, self._own_benchmarks = replace(self.open, benchmarks=(*before, self.words.benchmarks[word.lower()])), True
        elif kind == "reference":
            meant = self.words.references.get(word.lower(), THE_BASELINE)
            self.open = replace(self.open, references=tuple(dict.fromkeys((*self.open.references, meant))))
        elif kind in ("time", "correct"):
            self._waiting.add(kind)
        elif kind == "none":
            self.open = replace(self.open, exhaustive=True)
        elif kind == "percent" and self.open.correctness == "better":
            self.open = replace(self.open, percent=Decimal(word.rstrip("%")))
        elif kind == "faster":
            self.open = replace(self.open, speed="better")
        elif kind in ("better", "worse", "level"):
            self._judge(cast(Verdict, kind))

    def _begin_another(self, kind: str) -> None:
        self.done.append(self.open)
        names = () if kind == "model" else self.open.names
        self.open = Statement(self.open.line, names, self.open.benchmarks)
        self._own_benchmarks = False

    def _judge(self, verdict: Verdict) -> None:
        judged = self._waiting or {"time", "correct"}
        speed = verdict if "time" in judged else self.open.speed
        self.open = replace(self.open, speed=speed, correctness=verdict if "correct" in judged else self.open.correctness)
        self._waiting = set()
