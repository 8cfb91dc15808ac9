"""Counts the verdicts on one block of candidates into an audit.

A verdict is one byte a candidate: 0 for a survivor, otherwise 1 + the place in `REASONS` of the filter that dropped it, or
`PAD` where the ranking holds nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.retrieval.mining.audit import EXAMPLES, Audit, Example, ShortQuery
from ray_pipeline.retrieval.mining.filters import REASONS

KEPT: Final = 0
PAD: Final = 255
CODE: Final = {reason: code for code, reason in enumerate(REASONS, start=1)}


def tally(
    verdicts: NDArray[np.uint8],  # [Q, W]
    outside: NDArray[np.int64],  # [Q] candidates of the ranking that are not among the W
    taken: NDArray[np.int64],  # [Q] negatives chosen
    negatives: int,
    keys: NDArray[np.uint64],  # [Q] hash of the query's id
    example: Callable[[int, int], Example],  # of a row and a column
    query_id: Callable[[int], str],  # of a row
) -> Audit:
    """The audit of these queries."""
    counts = np.bincount(verdicts.ravel(), minlength=PAD + 1)
    short = np.flatnonzero(taken < negatives)
    short_counts = np.bincount(verdicts[short].ravel(), minlength=PAD + 1)
    short_first = short[np.lexsort((keys[short], taken[short]))[:EXAMPLES]]
    return Audit(
        negatives=negatives,
        candidates=int(counts[:PAD].sum() + outside.sum()),
        dropped=_named(counts, int(outside.sum())),
        dropped_of_short=_named(short_counts, int(outside[short].sum())),
        survivors=_histogram((verdicts == KEPT).sum(axis=1)),
        taken=_histogram(taken),
        examples={
            reason: tuple(sorted(example(row, column) for row, column in _first_of(verdicts == code, keys)))
            for reason, code in CODE.items()
            if counts[code]
        },
        shortest=tuple(ShortQuery(int(taken[row]), int(keys[row]), query_id(row)) for row in short_first.tolist()),
    )


def _named(counts: NDArray[np.intp], outside: int) -> dict[str, int]:
    return {reason: int(counts[code]) + (outside if reason == "outside_range" else 0) for reason, code in CODE.items()}


def _histogram(values: NDArray[np.int64]) -> dict[int, int]:
    present, counts = np.unique(values, return_counts=True)
    return dict(zip(present.tolist(), counts.tolist(), strict=True))


def _first_of(dropped: NDArray[np.bool_], keys: NDArray[np.uint64]) -> list[tuple[int, int]]:
    """(row, column) of the first dropped candidate in the rows with the smallest keys."""
    rows = np.flatnonzero(dropped.any(axis=1))
    rows = rows[np.argsort(keys[rows], kind="stable")[:EXAMPLES]]
    return list(zip(rows.tolist(), dropped[rows].argmax(axis=1).tolist(), strict=True))
