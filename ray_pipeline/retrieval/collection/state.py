"""One state of a collection, opened: a published version and the changes on top of it, searched as one.

A state never changes; the next batch of changes gives another, and searches that began in the old one end in it. Documents that changed
are shaded in the published part and live in the delta. Everything comes back by id: by score, then by id, both descending.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.artifacts import load
from ray_pipeline.ranking import PAD_DOC
from ray_pipeline.retrieval.collection.delta import Delta, DeltaPart
from ray_pipeline.retrieval.collection.store import Collection, Version
from ray_pipeline.retrieval.documents.filters import matches, require_known
from ray_pipeline.retrieval.documents.opened import STAGE as DOCUMENTS
from ray_pipeline.retrieval.documents.opened import Documents
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.index.opened import WHOLE, OpenedIndex, Share
from ray_pipeline.retrieval.index.settings import STAGE as INDEX
from ray_pipeline.retrieval.lexical.bm25 import BM25Index, Statistics

Mask = NDArray[np.bool_]


class Hit(NamedTuple):
    """A document found."""

    doc_id: str
    score: float


@dataclass(frozen=True)
class State:
    """What is searched."""

    version: Version
    index: OpenedIndex
    documents: Documents
    delta: Delta
    unshaded: Mask  # of the published documents, those that did not change
    words: BM25Index  # of the published documents, then of each part of the delta
    share: Share

    @classmethod
    def of(cls, collection: Collection, version: Version | None = None, share: Share = WHOLE) -> State:
        """The version in use, or the given one, with all changes since. Of several shares the first holds the changes; the others only know
        which of their documents these put in the shade."""
        chosen = version or collection.current()
        index = load(chosen.index, INDEX)
        _, first, stop = share.parts(index)
        opened = OpenedIndex.of(index, share), Documents.of(load(chosen.documents, DOCUMENTS), first, stop)
        delta = Delta(chosen.embedder, chosen.first_change - 1)
        for number in range(chosen.first_change, collection.last_change() + 1):
            delta = delta.with_segment(number, collection.change(number))
        return _state(chosen, *opened, delta, share)

    def caught_up(self, collection: Collection) -> State:
        """The same version with the changes that came since; itself where there are none."""
        last, delta = collection.last_change(), self.delta
        for number in range(delta.last + 1, last + 1):
            delta = delta.with_segment(number, collection.change(number))
        return self if delta is self.delta else _state(self.version, self.index, self.documents, delta, self.share)

    @property
    def name(self) -> str:
        """Names this state for ever: the version, and the last change it holds."""
        return f"{self.version.number}.{self.delta.last}"

    def __len__(self) -> int:
        """How many documents can be found."""
        return int(self.unshaded.sum()) + sum(int(part.live.sum()) for part in self.added)

    @property
    def added(self) -> Sequence[DeltaPart]:
        """The changes that are searched here."""
        return self.delta.parts if self.share.number == 0 else ()

    @property
    def fields(self) -> list[str]:
        """The fields that some document has."""
        added = {name for part in self.delta.parts for name in part.documents.columns.column_names}
        return sorted(added | set(self.documents.fields))

    def dense(self, vectors: NDArray[np.float32], k: int, given: Any = None) -> list[list[Hit]]:
        """The best k documents for each query vector."""
        base, added = self._kept(given)
        whole = base is None or bool(base.all())
        ranking = self.index.search(vectors, k, None if whole else base)
        rows = [
            [(self.documents.doc_id(int(doc)), float(score)) for doc, score in zip(docs, scores, strict=True) if doc != PAD_DOC]
            for docs, scores in zip(ranking.docs, ranking.scores, strict=True)
        ]
        for part, keep in zip(self.added, added, strict=True):
            for row, found in enumerate(_nearest(part, vectors, k, keep)):
                rows[row].extend(found)
        return [_best(row, k) for row in rows]

    def statistics(self, texts: Sequence[str]) -> Statistics:
        """What BM25 has to know of these documents, for the terms of these texts."""
        return self.words.statistics(texts)

    def lexical(self, texts: Sequence[str], k: int, given: Any = None, known: Statistics | None = None) -> list[list[Hit]]:
        """The best k documents for each text by BM25. `known`: of all shares together."""
        base, added = self._kept(given)
        keep = np.concatenate([np.ones(len(self.documents), dtype=bool) if base is None else base, *added])
        return [
            _best(((self._doc_id(int(doc)), float(score)) for doc, score in zip(docs, scores, strict=True)), k)
            for docs, scores in self.words.candidates(texts, k, keep, known)
        ]

    def document(self, doc_id: str) -> dict[str, Any] | None:
        """A document by its id, as it is now; None where there is none."""
        if doc_id in self.delta.places:
            return self.delta.document(doc_id) if self.share.number == 0 else None
        row = self.documents.rows_of([doc_id])[0]
        return None if row < 0 else self.documents.document(row)

    def _kept(self, given: Any) -> tuple[Mask | None, list[Mask]]:
        """Of the published documents (None: all) and of each part of the delta, those that can be found under a filter."""
        live = [part.live for part in self.added]
        base = None if bool(self.unshaded.all()) else self.unshaded
        if given is None:
            return base, live
        require_known(given, self.fields)
        added = [part.live & matches(given, part.documents.columns, len(part)) for part in self.added]
        return self.documents.matching(given) & self.unshaded, added

    def _doc_id(self, row: int) -> str:
        """Of a row as `words` counts them."""
        if row < len(self.documents):
            return self.documents.doc_id(row)
        row -= len(self.documents)
        for part in self.added:
            if row < len(part):
                return str(part.documents.documents.column("doc_id")[row].as_py())
            row -= len(part)
        raise IndexError(row)


def _state(version: Version, index: OpenedIndex, documents: Documents, delta: Delta, share: Share) -> State:
    unshaded = np.ones(len(documents), dtype=bool)
    rows = np.array(documents.rows_of(list(delta.places)), dtype=np.int64)
    unshaded[rows[rows >= 0]] = False
    changes = delta.parts if share.number == 0 else ()
    words = BM25Index([*(part.postings for part in documents.parts), *(part.documents.postings for part in changes)])
    return State(version, index, documents, delta, unshaded, words, share)


def _nearest(part: DeltaPart, vectors: NDArray[np.float32], k: int, keep: Mask) -> list[list[tuple[str, float]]]:
    rows = np.flatnonzero(keep)
    if not len(rows):
        return [[] for _ in vectors]
    found = search(vectors, part.vectors[rows], min(k, len(rows)))
    ids = part.documents.documents.column("doc_id").take(rows).to_pylist()
    return [
        [(ids[doc], float(score)) for doc, score in zip(docs, scores, strict=True) if doc != PAD_DOC]
        for docs, scores in zip(found.docs.tolist(), found.scores, strict=True)
    ]


def _best(found: Iterable[tuple[str, float]], k: int) -> list[Hit]:
    """By score and then by id, both descending."""
    by_id = sorted(found, key=lambda one: one[0], reverse=True)
    return [Hit(*one) for one in sorted(by_id, key=lambda one: -one[1])[:k]]
