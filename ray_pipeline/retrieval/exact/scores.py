"""The score of a pair, as a function of its two vectors alone.

A matrix product's last bits depend on the shape of its blocks, so it cannot define a score that must not change with
blocks, shards, threads or device. Here the score is defined by mathematics instead: the inner product of the two
float32 vectors, exact, rounded to float64 and then to float32; `float32(math.fsum(products))`, as products of float32
are exact in float64. Zero is always +0.0.

It is found quickly by bracketing. Any float64 summation, in any order, is within e = (d + 4) 2^-53 |q||d| of the exact
sum (Higham, Accuracy and Stability, eq. 4.4; the products are exact, |x|.|y| <= |q||d|). Rounding is monotone, so
where s - e and s + e round to the same float32 that is the score. About one pair in 100,000 is left; those are bracketed
again with the pair's own sum of |products| and then, if need be, summed with math.fsum.
The products of chosen pairs come from `torch.sparse.sampled_addmm` with one row a document, so that a document is read
once for all its queries. Both factors are float64.
"""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor

TILE: Final = 2048  # documents widened to float64 at once
_GATHER: Final = 1 << 21  # numbers gathered at once for the pairs the bracket leaves open
_UNIT: Final = 2.0**-53


def _sampled_product(left: Tensor, right: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """left[rows] . right[columns] for sorted `rows`, without gathering either."""
    starts = torch.searchsorted(rows, torch.arange(len(left) + 1, device=rows.device))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        pattern = torch.sparse_csr_tensor(starts, columns, left.new_zeros(len(columns)), (len(left), len(right)), check_invariants=False)
        product: Tensor = torch.sparse.sampled_addmm(pattern, left, right.T, beta=0.0)
        return product.values()


def _summed_exactly(queries: Tensor, docs: Tensor) -> Tensor:
    """float32 scores of row pairs [P, d], float64 on the way in."""
    products = queries * docs
    total, slack = products.sum(dim=1), products.abs().sum(dim=1) * ((products.shape[1] + 4) * _UNIT)
    low, high = (total - slack).float(), (total + slack).float()
    for pair in (low != high).nonzero().flatten().tolist():
        low[pair] = math.fsum(products[pair].tolist())
    return low


class PairScores:
    """Scores chosen pairs of up to `queries` queries with a block of documents; holds the float64 copies it works on."""

    def __init__(self, queries: int, dim: int, device: str) -> None:
        self._queries = torch.empty(queries, dim, dtype=torch.float64, device=device)
        self._gathered = torch.empty(TILE, dim, device=device)
        self._docs = torch.empty(TILE, dim, dtype=torch.float64, device=device)

    def __call__(self, queries: Tensor, docs: Tensor, query: Tensor, doc: Tensor, query_norms: Tensor, doc_norms: Tensor) -> Tensor:
        """float32 scores of the pairs (queries[query[i]], docs[doc[i]]); the norms are float64 upper bounds of each vector's."""
        order = torch.argsort(doc, stable=True)
        doc, query = doc[order], query[order]
        widened = self._queries[: len(queries)].copy_(queries)
        touched, place = torch.unique_consecutive(doc, return_inverse=True)
        total = torch.empty(len(doc), dtype=torch.float64, device=docs.device)
        edges = torch.searchsorted(place, torch.arange(0, len(touched) + TILE, TILE, device=place.device)).tolist()
        for tile, (start, end) in enumerate(pairwise(edges)):
            rows = touched[tile * TILE : (tile + 1) * TILE]
            left = self._docs[: len(rows)].copy_(torch.index_select(docs, 0, rows, out=self._gathered[: len(rows)]))
            total[start:end] = _sampled_product(left, widened, place[start:end] - tile * TILE, query[start:end])
        slack = doc_norms[doc].mul_(float(query_norms.max()) * (docs.shape[1] + 4) * _UNIT)
        scores, high = (total - slack).float(), slack.add_(total).float()
        left_open = (scores != high).nonzero().flatten()
        for part in torch.split(left_open, max(1, _GATHER // docs.shape[1])):
            scores[part] = _summed_exactly(widened[query[part]], docs[doc[part]].double())
        return torch.empty_like(scores).index_copy_(0, order, scores).add_(0.0)
