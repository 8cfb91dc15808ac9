"""Every query with another query's labels: the control of a learning claim.

A random permutation of the queries, then repaired: a query whose new positives touch its old ones (or itself) swaps with a
random query such that both get labels foreign to them. A swap never makes a new conflict, so one walk over the conflicts
ends it. For single labels a swap exists whenever no label has more than half of the queries (if label L stays on one of its
own, at most 2 |L| - 1 < n queries have or get L, so some other query has and gets neither). For overlapping lists there is no
such promise, but rows that touch most others are what it takes to fail.

Trap: sorting by label and rotating also gives every query a foreign label, but sends whole labels to whole labels, and a
consistent map of labels can be learned.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.data.doc_lists import DocLists
from ray_pipeline.data.label_groups import closed_sets
from ray_pipeline.errors import DataError

_TRIES: Final = 64  # partners looked at before all queries are


def strangers(positives: DocLists, own: NDArray[np.int64], doc_count: int, seed: int) -> NDArray[np.int64]:
    """[n] whose positives each query gets: a permutation in which no query meets a document of its closed set."""
    closed = closed_sets(positives, own)
    theirs = np.sort(closed.rows() * doc_count + closed.docs)

    def clash(queries: NDArray[np.int64], sources: NDArray[np.int64]) -> NDArray[np.bool_]:
        given = positives.take(sources)
        rows = given.rows()
        pairs = queries[rows] * doc_count + given.docs
        at = np.minimum(np.searchsorted(theirs, pairs), len(theirs) - 1)
        found = np.zeros(len(queries), dtype=bool)
        found[rows[theirs[at] == pairs]] = True
        return found

    count = len(own)
    generator = np.random.default_rng(seed)
    source = generator.permutation(count)
    everyone = np.arange(count)
    for row in np.flatnonzero(clash(everyone, source)).tolist():
        if not clash(np.array([row]), source[[row]])[0]:
            continue  # an earlier swap freed it
        for partners in (generator.integers(count, size=_TRIES), everyone):
            mine, its = np.full(len(partners), row), np.full(len(partners), source[row])
            fit = partners[~clash(mine, source[partners]) & ~clash(partners, its)]
            if len(fit):
                break
        else:
            raise DataError(
                f"labels cannot be shuffled: training row {row} shares labels with so many of the {count} rows that no swap gives it foreign ones"
                " (a label of more than half of the rows always does); take more rows or more labels"
            )
        partner = fit[generator.integers(len(fit))]
        source[row], source[partner] = source[partner], source[row]
    return source
