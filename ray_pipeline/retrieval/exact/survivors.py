"""Which pairs of a block could be in a query's top k: the filter in front of exact scoring.

Approximate scores of a slice of the queries with a whole block are compared with a threshold a query: its k-th best
score so far, less the error bound of `product.py`. Few pass, and looking at every number would cost more than the
product did, so the block is looked at through maxima of groups of 16 documents and only groups that hold a survivor are opened.

The k-th best rises inside a block too. Any k different documents of which each surely reaches x show that the k-th best
reaches x: the best k group maxima (before anything is opened, where too many would pass: the first block, or a block far
better than those before), and then the running top k together with the block's own survivors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor

from ray_pipeline.retrieval.exact.product import Factor, Kernel, below, factor, gap, multiply

MEMBERS: Final = 16  # documents a group
_LANES: Final = 64  # neighbouring groups whose members interleave, so that maxima are taken 64 at once
TILE: Final = MEMBERS * _LANES
PAIRS: Final = 1 << 19  # pairs handled at once


def before(values: Tensor) -> Tensor:
    """The next smaller number of the same type."""
    return torch.nextafter(values, torch.full_like(values, -torch.inf))


@dataclass(frozen=True)
class Block:
    """Documents made ready for the product: `count` of them, then zero vectors up to a whole number of tiles."""

    left: Factor
    right: Factor
    gaps: Tensor  # [Q] float64, error bound in scaled units
    count: int
    excluded: tuple[Tensor, Tensor] | None  # query and place of the pairs that must not be returned, by query

    @classmethod
    def of(cls, kernel: Kernel, left: Factor, docs: Tensor, count: int, excluded: tuple[Tensor, Tensor] | None) -> Block:
        right = factor(docs, kernel)
        return cls(left, right, gap(left, right), count, excluded)

    @property
    def width(self) -> int:
        return len(self.right.rounded)

    @property
    def scale(self) -> float:
        """Scaled units a true unit."""
        return 2.0 ** (self.left.exponent + self.right.exponent)

    def threshold(self, floor: Tensor, queries: slice, kind: torch.dtype) -> Tensor:
        """What an approximate score must reach if the exact one, as float32, is to reach `floor` [m]."""
        return below(before(floor).double() * self.scale - self.gaps[queries], kind)

    def floor(self, approximate: Tensor, gaps: Tensor) -> Tensor:
        """What the exact float32 score surely reaches where the approximate one is `approximate`."""
        return below((before(approximate).double() - gaps) / self.scale, torch.float32)

    def product(self, queries: slice, buffer: Tensor) -> Tensor:
        """Approximate scores [m, width] of a slice of the queries, -inf where there is no document to return."""
        rows = queries.stop - queries.start
        scores = buffer[: rows * self.width].view(rows, self.width)
        multiply(self.left.rounded[queries], self.right.rounded, scores)
        scores[:, self.count :] = -torch.inf
        if self.excluded is not None:
            query, place = self.excluded
            first, last = torch.searchsorted(query, torch.tensor([queries.start, queries.stop], device=query.device)).tolist()
            scores[query[first:last] - queries.start, place[first:last]] = -torch.inf
        return scores

    def survivors(self, scores: Tensor, running: Tensor, queries: slice) -> Iterator[tuple[Tensor, Tensor]]:
        """(query, place in the block) of each pair that could be in the top k, by query; `running` [m, k] is the top k so far."""
        k = running.shape[1]
        members = MEMBERS if self.width >= 4 * k * MEMBERS else 1
        tiles = scores.view(-1, members, _LANES)
        maxima = tiles.amax(dim=1).view(len(scores), -1)
        floor = running[:, -1].clone()
        threshold = self.threshold(floor, queries, scores.dtype)
        hits = maxima >= threshold[:, None]
        counts = hits.sum(dim=1)
        crowded = (counts > 2 * k).nonzero().flatten()
        if len(crowded):
            kth = torch.topk(coarser(maxima[crowded], 4 * k), k, dim=1).values[:, -1]
            floor[crowded] = torch.maximum(floor[crowded], self.floor(kth, self.gaps[queries][crowded]))
            threshold = self.threshold(floor, queries, scores.dtype)
            hits = maxima >= threshold[:, None]
            counts = hits.sum(dim=1)
        for rows in spans(counts * members, PAIRS):
            query, group = hits[rows].nonzero(as_tuple=True)
            if len(query):
                part = slice(queries.start + rows.start, queries.start + rows.stop)
                yield self._opened(tiles, running[rows], threshold[rows], query, group, part, rows.start)

    def _opened(
        self, tiles: Tensor, running: Tensor, threshold: Tensor, query: Tensor, group: Tensor, queries: slice, first: int
    ) -> tuple[Tensor, Tensor]:
        """The survivors inside the groups; `query` counts from `queries.start`, which is row `first` of the scores."""
        members = tiles.shape[1]
        tile, lane = group // _LANES, group % _LANES
        values = tiles[(query + first) * (self.width // (members * _LANES)) + tile, :, lane]
        entry, member = (values >= threshold[query][:, None]).nonzero(as_tuple=True)
        query, values = query[entry], values[entry, member]
        place = (tile[entry] * members + member) * _LANES + lane[entry]
        column, counts = columns(query, len(running))
        if len(running) * (widest := int(counts.max())) <= 2 * PAIRS:
            dense = values.new_full((len(running), widest), -torch.inf)
            dense[query, column] = values
            sure = torch.cat([running, self.floor(dense, self.gaps[queries][:, None])], dim=1)
            floor = torch.topk(sure, running.shape[1], dim=1).values[:, -1]
            kept = values >= self.threshold(floor, queries, values.dtype)[query]
            query, place = query[kept], place[kept]
        return query + queries.start, place


def coarser(maxima: Tensor, enough: int) -> Tensor:
    """Maxima of neighbouring maxima [m, groups], still at least `enough` a row where there were as many: a k-th best costs less there."""
    fold = 1
    while fold < _LANES and maxima.shape[1] // (2 * fold) >= enough:
        fold *= 2
    return maxima.view(len(maxima), -1, fold).amax(dim=2)


def spans(weights: Tensor, limit: int) -> Iterator[slice]:
    """Consecutive slices whose weights sum to about `limit`; one item that alone weighs more is a slice of its own or ends one."""
    ends = torch.unique_consecutive(weights.cumsum(0) // limit, return_counts=True)[1].cumsum(0).tolist()
    for start, end in pairwise([0, *ends]):
        yield slice(start, end)


def columns(rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """For entries sorted by row: each one's place in its row, and each row's number of entries."""
    counts = torch.bincount(rows, minlength=count)
    return torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows], counts
