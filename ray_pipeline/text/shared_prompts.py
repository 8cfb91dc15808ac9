"""Rows that begin with the same prompt, packed so that it goes through a model once: n answers of R tokens to a prompt of P cost P + n R tokens
instead of n (P + R).

Only what is the same token for token is shared: the longest beginning that all rows of a family have in common and of which nothing is learned. The
state at its last token predicts the first token of every answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.text.learned_tokens import LearnedTokens, TokenBatch


@dataclass(frozen=True, eq=False)
class Family:
    """Rows with a common beginning of `prompt` tokens."""

    rows: NDArray[np.int64]
    prompt: int


def families(given: LearnedTokens, groups: NDArray[np.int64]) -> list[Family]:
    """The rows of each group, in the groups' order; rows of one group are the answers to one prompt."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order][:1] - 1)) if len(groups) else np.zeros(0, dtype=np.int64)
    found = [np.sort(rows) for rows in np.split(order, starts[1:])] if len(groups) else []
    return [Family(rows, _common(given, rows)) for rows in found]


def _common(given: LearnedTokens, rows: NDArray[np.int64]) -> int:
    """How many tokens all rows begin with that are the same and not learned. One at least stays each row's own, to be predicted behind the others."""
    spans = [slice(given.tokens.offsets[row], given.tokens.offsets[row + 1]) for row in rows]
    most = min(int(np.argmax(given.learned[span])) if given.learned[span].any() else max(0, span.stop - span.start - 1) for span in spans)
    first = given.tokens.ids[spans[0]][:most]
    for span in spans[1:]:
        differs = np.flatnonzero(given.tokens.ids[span][: len(first)] != first)
        first = first[: differs[0]] if len(differs) else first
    return len(first)


def plan_families(given: LearnedTokens, found: list[Family], token_budget: int) -> list[list[Family]]:
    """Families for each micro batch, of so many tokens at most, prompts counted once; a family that is too long is cut, and its prompt said again."""
    lengths = given.tokens.lengths
    plan: list[list[Family]] = []
    room = 0
    for family in found:
        for piece in _pieces(family, lengths, token_budget):
            size = piece.prompt + int((lengths[piece.rows] - piece.prompt).sum())
            if not plan or size > room:
                plan.append([])
                room = token_budget
            plan[-1].append(piece)
            room -= size
    return plan


def _pieces(family: Family, lengths: NDArray[np.int64], token_budget: int) -> Iterator[Family]:
    start, used = 0, family.prompt
    for at, own in enumerate((lengths[family.rows] - family.prompt).tolist()):
        if at > start and used + own > token_budget:
            yield Family(family.rows[start:at], family.prompt)
            start, used = at, family.prompt
        used += own
    yield Family(family.rows[start:], family.prompt)


def pack_shared(given: LearnedTokens, chosen: list[Family]) -> TokenBatch:
    """Each family's prompt, then what its rows have of their own. `rows` of the batch count through the families in their order."""
    ids: list[NDArray[np.int32]] = []
    positions: list[NDArray[np.int64]] = []
    segments: list[int] = []
    heads: list[int] = []
    places: list[NDArray[np.int64]] = []
    targets: list[NDArray[np.int32]] = []
    rows: list[NDArray[np.int64]] = []
    at = number = 0
    for family in chosen:
        begin, head = at, len(segments)
        offsets = given.tokens.offsets
        if family.prompt:
            start = offsets[family.rows[0]]
            ids.append(given.tokens.ids[start : start + family.prompt])
            positions.append(np.arange(family.prompt))
            segments.append(family.prompt)
            heads.append(head)
            at += family.prompt
        for row in family.rows:
            start, stop = offsets[row] + family.prompt, offsets[row + 1]
            own = stop - start
            ids.append(given.tokens.ids[start:stop])
            positions.append(family.prompt + np.arange(own))
            heads.append(head if family.prompt else len(segments))
            segments.append(int(own))
            learned = np.flatnonzero(given.learned[start:stop])
            learned = learned if family.prompt else learned[learned > 0]  # a row's first token has nothing before it
            before = at + learned - 1
            places.append(np.where(learned > 0, before, begin + family.prompt - 1))
            targets.append(given.tokens.ids[start:stop][learned])
            rows.append(np.full(len(learned), number))
            at, number = at + int(own), number + 1
    return TokenBatch(
        ids=np.concatenate(ids).astype(np.int64)[None],
        positions=np.concatenate(positions).astype(np.int64)[None],
        mask=None,
        segments=tuple(segments),
        places=np.concatenate(places).astype(np.int64),
        targets=np.concatenate(targets).astype(np.int64),
        rows=np.concatenate(rows).astype(np.int64),
        heads=tuple(heads),
    )
