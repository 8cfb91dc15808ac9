"""Exact top k of queries over a stream of document blocks, on CPU or GPU, without Ray.

A block of documents at a time:
1. a fast matrix product gives approximate scores of a slice of the queries (`product.py`: any kernel, with a proven bound);
2. every pair that could be in its query's top k, given that bound and the k-th best so far, is picked out (`survivors.py`);
3. these are scored exactly (`scores.py`) and each query's k best are kept (`topk.py`).

A pair that could be in the top k always survives, and its score depends on nothing but the pair, so the result is a
function of (vectors, k, exclusion): blocks, shards, order of arrival, kernel, threads and device change only the time.
Memory: k keys a query, one block, and the working arrays of `planned_bytes`; never the corpus.

Trap: when many documents tie for the k-th place (thousands of identical documents), all of them survive and are scored
exactly: right, but as slow as scoring every pair in float64.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.ranking import Ranking
from ray_pipeline.retrieval.exact import scores as exact_scores
from ray_pipeline.retrieval.exact import survivors
from ray_pipeline.retrieval.exact.product import Kernel, choose_kernel, factor, input_type
from ray_pipeline.retrieval.exact.scores import PairScores
from ray_pipeline.retrieval.exact.survivors import Block
from ray_pipeline.retrieval.exact.topk import PAD_KEY, ROW_LIMIT, best, check_k, keys_of, ranking_of, scores_of
from ray_pipeline.retrieval.exact.workers import each, threads
from ray_pipeline.retrieval.exclusion import Exclusion, ExclusionByDoc

Vectors = NDArray[np.float32] | NDArray[np.float16] | Tensor

BLOCK_ROWS: Final = 32768
_SCORE_BYTES: Final = 1 << 24  # approximate scores a thread holds at once: they should stay in its cache
_PART_QUERIES: Final = 1280  # queries a thread takes at a time; their survivors are scored together
_LARGEST: Final = 2.0**127


def planned_bytes(queries: int, dim: int, block_rows: int, k: int) -> int:
    """The most memory a search takes beside the caller's arrays, its result included, with its hungriest kernel (fp32)."""
    kept = queries * (dim * (4 + 4) + 32 + k * (8 + 12))
    block = block_rows * (dim * (4 + 4) + 32)
    scores = max(_SCORE_BYTES, block_rows * 4) * (1 + 2 / survivors.MEMBERS)
    pairs = max(survivors.PAIRS, block_rows) * 96
    widened = (min(queries, _PART_QUERIES) + exact_scores.TILE * 1.5) * dim * 8
    return int(kept + block + torch.get_num_threads() * (scores + pairs + widened))


def _matrix(vectors: Vectors, what: str) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # Arrow's are not, and nothing here writes
        given = torch.from_numpy(vectors) if isinstance(vectors, np.ndarray) else vectors
    if given.ndim != 2 or given.shape[1] < 1 or given.dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise DataError(f"{what} vectors must be a float32 or float16 matrix, not {given.dtype} of shape {tuple(given.shape)}")
    return given


def _check_finite(vectors: Tensor, rows: NDArray[np.int64], what: str) -> None:
    """Refuse a NaN or an infinity; the sum alone shows that there is none, except where it overflows."""
    if bool(torch.isfinite(vectors.sum())) or bool(torch.isfinite(vectors).all()):
        return
    row = int((~torch.isfinite(vectors)).any(dim=1).nonzero()[0, 0])
    raise DataError(f"{what} row {rows[row]}: the vector has a NaN or an infinity and cannot be ranked; embed it again or leave it out")


@dataclass(frozen=True)
class _Desk:
    """The working arrays of one thread."""

    scores: Tensor
    score_pairs: PairScores


class StreamingSearch:
    """The k best documents of each query among all that were added."""

    def __init__(
        self,
        queries: Vectors,
        k: int,
        *,
        query_rows: NDArray[np.int64] | None = None,
        exclude: Exclusion | None = None,
        kernel: Kernel | Literal["auto"] = "auto",
        device: str = "cpu",
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        check_k(k)
        if block_rows < 1:
            raise SettingsError(f"block_rows={block_rows}: a block needs at least one row")
        given = _matrix(queries, "query")
        count, dim = given.shape
        self._query_rows = np.arange(count, dtype=np.int64) if query_rows is None else query_rows
        if len(self._query_rows) != count:
            raise DataError(f"{len(self._query_rows)} query rows were given for {count} query vectors")
        if exclude is not None and len(exclude) != count:
            raise DataError(f"the exclusion is of {len(exclude)} queries, the search of {count}")
        self._queries = given.to(device, torch.float32)
        _check_finite(self._queries, self._query_rows, "query")
        self._exclude = None if exclude is None else ExclusionByDoc(exclude, self._queries.device)
        self._k, self._block_rows, self._filled = k, block_rows, 0
        self._threads = threads(self._queries.device)
        self._kernel: Kernel = choose_kernel(kernel, dim, device)
        self._left = factor(self._queries, self._kernel)
        self._query_norms = self._left.true_norms()
        self._keys = torch.full((count, k), PAD_KEY, device=device)
        width = -(-block_rows // survivors.TILE) * survivors.TILE
        self._docs = torch.empty(width, dim, device=device)
        self._rows = torch.empty(block_rows, dtype=torch.int64, device=device)
        kind, part = input_type(self._kernel), min(count, _PART_QUERIES)
        self._desks = [
            _Desk(torch.empty(max(_SCORE_BYTES // kind.itemsize, width), dtype=kind, device=device), PairScores(part, dim, device))
            for _ in range(self._threads)
        ]

    def add(self, rows: int | NDArray[np.int64], vectors: Vectors) -> None:
        """Take documents: their rows, or the first one's row where they follow each other. Any order, each document once."""
        given = _matrix(vectors, "document")
        if given.shape[1] != self._docs.shape[1]:
            raise DataError(f"document vectors have {given.shape[1]} dimensions, the queries {self._docs.shape[1]}: not the same model or cut")
        numbers = np.arange(rows, rows + len(given), dtype=np.int64) if isinstance(rows, int) else rows
        if len(numbers) != len(given):
            raise DataError(f"{len(numbers)} document rows were given for {len(given)} vectors")
        if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < ROW_LIMIT:
            raise DataError(f"document rows must be in 0..{ROW_LIMIT - 1}, not {numbers.min()}..{numbers.max()}")
        done = 0
        while done < len(given):
            taken = slice(done, done + self._block_rows - self._filled)
            place = slice(self._filled, self._filled + len(numbers[taken]))
            self._docs[place] = given[taken]
            self._rows[place] = torch.from_numpy(numbers[taken])
            _check_finite(self._docs[place], numbers[taken], "document")
            done, self._filled = taken.stop, place.stop
            if self._filled == self._block_rows:
                self._search_block()

    def result(self) -> Ranking:
        """The ranking of what was added so far."""
        self._search_block()
        return ranking_of(self._keys, self._query_rows)

    def _search_block(self) -> None:
        """Search the documents gathered so far and let go of them."""
        if self._filled and len(self._queries):
            block = self._block()
            rounds = -(-len(self._queries) // (self._threads * _PART_QUERIES))
            size = -(-len(self._queries) // (self._threads * rounds))
            parts = [slice(start, min(start + size, len(self._queries))) for start in range(0, len(self._queries), size)]
            each(lambda part: self._search_part(block, part), parts, self._threads)
        self._filled = 0

    def _search_part(self, block: Block, part: slice) -> None:
        """Search the block for some of the queries; parts touch nothing that another part writes."""
        desk = self._desks.pop()
        pending: list[tuple[Tensor, Tensor]] = []
        step = max(1, len(desk.scores) // block.width)
        for start in range(part.start, part.stop, step):
            queries = slice(start, min(start + step, part.stop))
            scores = block.product(queries, desk.scores)
            for pairs in block.survivors(scores, scores_of(self._keys[queries]), queries):
                pending.append(pairs)
                if sum(len(place) for _, place in pending) >= survivors.PAIRS:
                    self._settle(block, pending, desk)
        self._settle(block, pending, desk)
        self._desks.append(desk)

    def _block(self) -> Block:
        width = -(-self._filled // survivors.TILE) * survivors.TILE
        self._docs[self._filled : width] = 0.0
        excluded = None if self._exclude is None else self._exclude.within(self._rows[: self._filled])
        block = Block.of(self._kernel, self._left, self._docs[:width], self._filled, excluded)
        if float(self._query_norms.max()) * float(block.right.true_norms().max()) >= _LARGEST:
            row = int(self._rows[block.right.norms[: self._filled].argmax()])
            raise DataError(f"document row {row}: its norm times the largest query norm overflows float32; normalise the vectors")
        return block

    def _settle(self, block: Block, pending: list[tuple[Tensor, Tensor]], desk: _Desk) -> None:
        """Score the pending pairs exactly, keep each query's k best, and empty the list."""
        if not sum(len(place) for _, place in pending):
            return
        query, place = (torch.cat(parts) for parts in zip(*pending, strict=True))
        pending.clear()
        first, stop = int(query[0]), int(query[-1]) + 1
        query = query - first
        queries, norms = self._queries[first:stop], self._query_norms[first:stop]
        keys = keys_of(desk.score_pairs(queries, self._docs, query, place, norms, block.right.true_norms()), self._rows[place])
        column, counts = survivors.columns(query, stop - first)
        ends, widest = counts.cumsum(0), int(counts.max())
        step = max(1, survivors.PAIRS // (widest + self._k))
        for start in range(0, stop - first, step):
            end = min(start + step, stop - first)
            pairs = slice(int(ends[start] - counts[start]), int(ends[end - 1]))
            found = keys.new_full((end - start, widest), PAD_KEY)
            found[query[pairs] - start, column[pairs]] = keys[pairs]
            kept = slice(first + start, first + end)
            self._keys[kept] = best(torch.cat([self._keys[kept], found], dim=1), self._k)


def search(
    queries: Vectors,
    docs: Vectors,
    k: int,
    *,
    exclude: Exclusion | None = None,
    kernel: Kernel | Literal["auto"] = "auto",
    device: str = "cpu",
    block_rows: int = BLOCK_ROWS,
) -> Ranking:
    """The k best of `docs`, whose row i is document row i, for each query."""
    stream = StreamingSearch(queries, k, exclude=exclude, kernel=kernel, device=device, block_rows=block_rows)
    stream.add(0, docs)
    return stream.result()
