"""A rollout made ready to be read: its prompt's end, and by turns what the policy wrote and what it was told, token by token.

Trap: a token alone may be a part of a letter, or lose the space before it. So text is what a token adds to the tokens before it, and tokens that
add nothing readable wait for the next one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.thought import OPENS, thought_of
from ray_pipeline.metrics.tool_calls import Call, read_calls
from ray_pipeline.reports.rollouts.choice import Row

Decode = Callable[[Sequence[int]], str]  # keeps special tokens
_PROMPT_END: Final = 400  # characters
_UNFINISHED: Final = "\ufffd"
_WAITS: Final = 8  # tokens: a letter has four bytes at most, what has not become one by then never will


@dataclass(frozen=True)
class Piece:
    """Some tokens as text. `likelihoods`: of each, where the policy wrote them."""

    text: str
    likelihoods: tuple[float, ...] = ()


@dataclass(frozen=True)
class Turn:
    """What the policy wrote, or what it was told, at a stretch."""

    written: bool
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class Said:
    """A turn of the policy. `calls`: None where what should be one cannot be read."""

    thought: str | None
    rest: str
    calls: tuple[Call, ...] | None


@dataclass(frozen=True)
class Sample:
    """A rollout. `prompt`: the whole of it, as text."""

    row: Row
    prompt: str
    turns: tuple[Turn, ...]
    parts: dict[str, float]

    @property
    def prompt_end(self) -> str:
        return self.prompt if len(self.prompt) <= _PROMPT_END else "…" + self.prompt[-_PROMPT_END:]

    def said(self, turn: int) -> Said:
        """What the policy thought, said and called in one of its turns. A thought without an end is a part of the rest."""
        before = self.turns[turn - 1].text if turn else self.prompt
        text = self.turns[turn].text
        found = thought_of(text, OPENS if before.rstrip().endswith(OPENS) else "")
        rest = text if found.thought is None else found.rest
        calls = read_calls(rest)
        return Said(found.thought, rest, None if calls is None else tuple(calls))

    def likelihoods(self) -> list[tuple[float, str]]:
        """Of every token that the policy wrote, with the text that it is a part of."""
        return [(value, piece.text) for turn in self.turns for piece in turn.pieces for value in piece.likelihoods]


def sample_of(row: Row, decode: Decode) -> Sample:
    """The kept row, readable."""
    values = row.values
    ids, likelihoods = values["ids"], values["logprobs"]
    written = values["written"] or [True] * len(ids)
    if len(written) != len(ids) or sum(written) != len(likelihoods):
        raise DataError(
            f"rollout {values['sample']} of {values['prompt_id']}, draw {row.draw}: {len(ids)} tokens, {len(written)} marks of who wrote them, "
            f"{sum(written)} by the policy and {len(likelihoods)} likelihoods; these belong together, so the file is damaged (jobs.verify says more)"
        )
    left = iter(likelihoods)
    turns = []
    for by_policy, run in groupby(zip(ids, written, strict=True), key=lambda one: one[1]):
        tokens = [token for token, _ in run]
        turns.append(Turn(by_policy, tuple(pieces(tokens, decode, [next(left) for _ in tokens] if by_policy else None))))
    return Sample(row, decode(values["prompt_ids"]), tuple(turns), json.loads(values["parts"]))


def pieces(ids: Sequence[int], decode: Decode, likelihoods: Sequence[float] | None = None) -> Iterator[Piece]:
    """The text that each token adds; together they are the text of all."""
    start = told = 0  # what is decoded for its sake alone, and what of it was told
    for end in range(1, len(ids) + 1):
        before, now = decode(ids[start:told]), decode(ids[start:end])
        if end < len(ids) and end - told < _WAITS and (now.endswith(_UNFINISHED) or len(now) <= len(before)):
            continue
        yield Piece(now[len(before) :], () if likelihoods is None else tuple(likelihoods[told:end]))
        start, told = told, end
