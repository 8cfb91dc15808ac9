"""A collection in several shares: all are asked at once, all from one state, and their answers merged by score and then by id.

Shares follow the collection each for itself. Where they do not answer from one state, those that were ahead are asked again for the one
that all have: a share keeps the states before its newest for this.
"""

from __future__ import annotations

import asyncio
import functools
import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from ray_pipeline.retrieval.lexical.bm25 import Statistics
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.service import Found, Lookup


class ShareBackend(Protocol):
    """Where a share is searched."""

    async def search(self, lookup: Lookup) -> Found: ...

    async def statistics(self, texts: Sequence[str]) -> tuple[str, Statistics]: ...


class FanOut:
    """All shares as one index."""

    def __init__(self, shares: Sequence[ShareBackend]) -> None:
        self._shares = shares
        self.state: str | None = None  # that the last answer came from

    async def search(self, lookup: Lookup) -> Found:
        found = await (self._shares[0].search(lookup) if len(self._shares) == 1 else self._together(lookup))
        self.state = found.state
        return found

    async def _together(self, lookup: Lookup) -> Found:
        if lookup.texts is not None:
            lookup = replace(lookup, known=await self._known(lookup.texts))
        found = await asyncio.gather(*(one.search(lookup) for one in self._shares))
        oldest = min((one.state for one in found), key=_age)
        again = [replace(lookup, state=oldest) if one.state != oldest else None for one in found]
        found = [one if asked is None else await share.search(asked) for share, one, asked in zip(self._shares, found, again, strict=True)]
        if len({one.state for one in found}) > 1:
            raise RequestError("unavailable", "the shares of the collection have no state in common; ask again", retry_after=1)
        dense, lexical = (_merged(rankings, lookup.k) for rankings in ([one.dense for one in found], [one.lexical for one in found]))
        kept = {name for ranking in (*dense, *lexical) for name, _ in ranking}
        documents = {name: document for one in found for name, document in one.documents.items() if name in kept}
        return Found(oldest, dense, lexical, documents)

    async def _known(self, texts: Sequence[str]) -> Statistics:
        """Frequencies of all shares together. A change that one share has and another has not yet moves them by one document."""
        told = await asyncio.gather(*(one.statistics(texts) for one in self._shares))
        return functools.reduce(operator.add, (statistics for _, statistics in told))


def _age(state: str) -> tuple[int, ...]:
    """`7.42` came before `7.43`, and that before `8.1`."""
    return tuple(int(part) for part in state.split("."))


def _merged(rankings: Sequence[Sequence[Sequence[tuple[str, float]]]], k: int) -> list[list[tuple[str, float]]]:
    """Of each share's ranking of each query the best k of all."""
    if not any(rankings):
        return []
    together = [[hit for share in query for hit in share] for query in zip(*rankings, strict=True)]
    return [sorted(sorted(hits, key=lambda hit: hit[0], reverse=True), key=lambda hit: -hit[1])[:k] for hits in together]
