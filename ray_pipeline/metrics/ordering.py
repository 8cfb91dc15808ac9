"""trec_eval's order of a ranked list, for many lists at once.

The order is score descending, then document descending; trec_eval compares scores in single precision, and so does this
file (two float64 scores that differ in the 12th digit tie, M with pytrec_eval). What trec_eval leaves open is decided
here: NaN scores come after every number, also after -inf; padding (document -1) comes last whatever its score. A document
listed twice in one list is an error: counting it twice inflates every measure, and the files trec_eval reads cannot hold it.

A list out of order is sorted by one integer per entry, `score bits << 32 | document`: float32 bits keep the order of
positive floats, and with all bits but the sign flipped that of negative ones. (A sort of such keys is about eight times
faster than a lexsort.) The trap is -0.0, whose bits lie below those of 0.0 though the two are equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.metrics.qrels import LARGEST_DOC
from ray_pipeline.ranking import PAD_DOC

_NAN_KEY = np.int64(-(2**31) + 1)  # below the key of -inf
_PAD_KEY = np.int64(-(2**31))


def ordered_docs(docs: NDArray[np.integer], scores: NDArray[np.floating] | None, query_rows: NDArray[np.int64]) -> NDArray[np.integer]:
    """`docs` [B, K] in trec_eval's order, padding last; without scores the lists must be in order already."""
    lowest, highest = int(docs.min(initial=0)), int(docs.max(initial=0))
    if lowest < PAD_DOC or highest > LARGEST_DOC:
        row = int(np.flatnonzero(((docs < PAD_DOC) | (docs > LARGEST_DOC)).any(axis=1))[0])
        raise DataError(f"query row {query_rows[row]}: a document row lies outside -1 (padding) to {LARGEST_DOC}")
    _refuse_repeated(docs, query_rows)
    padded = lowest == PAD_DOC
    if scores is None:
        if padded:
            _refuse_gaps(docs, query_rows)
        return docs
    singles = scores.astype(np.float32, copy=False)
    if padded:
        singles = np.where(docs == PAD_DOC, np.float32(-np.inf), singles)
    return docs if _in_order(docs, singles) else _sorted_docs(docs, singles)


def _in_order(docs: NDArray[np.integer], scores: NDArray[np.float32]) -> bool:
    # NaN fails both comparisons, so a list with a NaN is always sorted
    above = scores[:, :-1] > scores[:, 1:]
    if above.all():
        return True
    return bool((above | ((scores[:, :-1] == scores[:, 1:]) & (docs[:, :-1] >= docs[:, 1:]))).all())


def _sorted_docs(docs: NDArray[np.integer], scores: NDArray[np.float32]) -> NDArray[np.int64]:
    bits = (scores + np.float32(0.0)).view(np.int32).astype(np.int64)  # adding 0.0 turns -0.0 into 0.0
    keys = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    keys[np.isnan(scores)] = _NAN_KEY
    keys[docs == PAD_DOC] = _PAD_KEY
    keys <<= 32
    keys |= docs.astype(np.int64) + 1  # from 0, so that padding stays inside the low half
    keys.sort(axis=1)
    return (keys[:, ::-1] & 0xFFFFFFFF) - 1


def _refuse_repeated(docs: NDArray[np.integer], query_rows: NDArray[np.int64]) -> None:
    by_doc = docs.astype(np.int32)
    by_doc.sort(axis=1)
    repeated = (by_doc[:, 1:] == by_doc[:, :-1]) & (by_doc[:, 1:] != PAD_DOC)
    if repeated.any():
        row, column = (int(index[0]) for index in np.nonzero(repeated))
        raise DataError(f"query row {query_rows[row]}: document row {by_doc[row, column]} is listed twice; rank each once")


def _refuse_gaps(docs: NDArray[np.integer], query_rows: NDArray[np.int64]) -> None:
    gaps = (docs[:, :-1] == PAD_DOC) & (docs[:, 1:] != PAD_DOC)
    if gaps.any():
        row = int(np.nonzero(gaps)[0][0])
        raise DataError(f"query row {query_rows[row]}: padding before a document; move -1 entries to the end or give scores")
