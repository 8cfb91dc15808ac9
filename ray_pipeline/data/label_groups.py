"""Label groups: numbers by which "is this document relevant for this query?" is one comparison of integers.

A query's *closed set* is its positives and, where the query is itself a document (a statement of a paper), that document.
Queries and documents form a label group when every query of the group has the same closed set and no query outside has any
of its documents: a label with its queries, a paper with its statements. Inside such a group everything is relevant to
everything, and nothing outside is, so *equal group* and *relevant* are the same for all of them. The group's number is its
first document row. Queries and documents whose judgements form no such block (overlapping lists, a document that two
different lists share) have group -1: for them only the pairs count.

Trap: a statement has the group of its own document, so a loss that reads positives from groups must leave out the document
that is the query (`own`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.data.columns import rows_of
from ray_pipeline.data.doc_lists import DocLists

NO_GROUP = -1
NO_DOC = -1


def own_documents(query_ids: pa.Array, query_hashes: NDArray[np.int64], doc_ids: pa.Array, doc_hashes: NDArray[np.int64]) -> NDArray[np.int64]:
    """[n] the document that is the query itself, with its id and its text; -1 where there is none. The id alone says
    nothing: queries and documents may both be numbered from 0."""
    own = rows_of(query_ids, doc_ids)
    same = (own != NO_DOC) & (doc_hashes[own] == query_hashes)
    return np.where(same, own, NO_DOC)


def closed_sets(positives: DocLists, own: NDArray[np.int64]) -> DocLists:
    """Each query's positives and its own document."""
    selves = np.flatnonzero(own != NO_DOC)
    if not len(selves):
        return DocLists(positives.indptr, positives.docs)
    queries = np.concatenate([positives.rows(), selves])
    return DocLists.from_pairs(queries, np.concatenate([positives.docs, own[selves]]), len(own))


def label_groups(positives: DocLists, own: NDArray[np.int64], doc_count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The group of each query [n] and of each document [m]. Every query must have a positive, and none twice."""
    closed = closed_sets(positives, own)
    rows = closed.rows()
    first = np.minimum.reduceat(closed.docs, closed.indptr[:-1])  # [n] the number the query's group would have
    lowest, highest = np.full(doc_count, doc_count), np.full(doc_count, NO_GROUP)
    np.minimum.at(lowest, closed.docs, first[rows])
    np.maximum.at(highest, closed.docs, first[rows])
    settled = lowest == highest  # all queries that have the document agree on its group
    sizes = np.bincount(lowest[settled], minlength=doc_count)
    broken = closed.counts != sizes[first]
    broken[rows[~settled[closed.docs]]] = True
    valid = np.ones(doc_count, dtype=bool)
    valid[first[broken]] = False
    groups = np.where(valid[first], first, NO_GROUP)
    whole = settled.copy()
    whole[settled] = valid[lowest[settled]]
    return groups, np.where(whole, lowest, NO_GROUP)
