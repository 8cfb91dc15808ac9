"""Documents that came after the index was built, searched exactly, and the ids they put in the shade.

It grows like a log-structured merge tree: each segment becomes a part, and a part that is not much larger than the one behind it is joined
with it, so that there are few parts and each document is moved a logarithmic number of times. A part is in doc_id order, so equal scores
tie as they do in an index. A delta never changes: `with_segment` gives another, which shares the parts that stayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.data.columns import take_rows
from ray_pipeline.errors import ArtifactError
from ray_pipeline.retrieval.collection.segment import Segment
from ray_pipeline.retrieval.documents.part import DocumentsPart
from ray_pipeline.schemas import CORPUS


@dataclass(frozen=True)
class DeltaPart:
    """Documents in doc_id order with their vectors; `live` where none came later."""

    documents: DocumentsPart
    vectors: NDArray[np.float32]
    live: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.live)


@dataclass(frozen=True)
class Delta:
    """All changes up to `last`."""

    embedder: str
    last: int = 0
    parts: Sequence[DeltaPart] = ()
    places: Mapping[str, tuple[int, int] | None] = field(default_factory=dict)  # of each changed id: its part and row; None: deleted

    def with_segment(self, number: int, segment: Segment) -> Delta:
        """The same with one more batch of changes."""
        if segment.embedder != self.embedder:
            raise ArtifactError(f"changes {number} have vectors of another model than the collection; they cannot be searched together")
        latest = {name: row for row, name in enumerate(segment.doc_ids)}
        parts = [_without(part, latest) for part in self.parts]
        added = _part_of(segment, [row for row in latest.values() if segment.texts[row] is not None])
        if added is not None:
            parts.append(added)
        while len(parts) > 1 and _live(parts[-2]) <= 2 * _live(parts[-1]):
            parts[-2:] = [_joined(parts[-2:])]
        gone = {name for name, row in latest.items() if segment.texts[row] is None}
        deleted = {name for name, place in self.places.items() if place is None and name not in latest} | gone
        places: dict[str, tuple[int, int] | None] = dict.fromkeys(deleted)
        for at, part in enumerate(parts):
            ids = part.documents.documents.column("doc_id").to_pylist()
            places |= {ids[row]: (at, row) for row in np.flatnonzero(part.live).tolist()}
        return Delta(self.embedder, number, parts, places)

    def document(self, doc_id: str) -> dict[str, Any] | None:
        """A document that was added and is still there."""
        place = self.places.get(doc_id)
        return None if place is None else self.parts[place[0]].documents.document(place[1])


def _live(part: DeltaPart) -> int:
    return int(part.live.sum())


def _without(part: DeltaPart, changed: Mapping[str, int]) -> DeltaPart:
    """The part, its documents that changed no longer live."""
    ids = part.documents.documents.column("doc_id").to_pylist()
    still = np.array([name not in changed for name in ids], dtype=bool) & part.live
    return part if still.all() and part.live.all() else DeltaPart(part.documents, part.vectors, still)


def _part_of(segment: Segment, rows: Sequence[int]) -> DeltaPart | None:
    """The documents of a segment at the given rows."""
    if not rows:
        return None
    in_order = sorted(rows, key=lambda row: segment.doc_ids[row])
    columns = [[values[row] for row in in_order] for values in (segment.doc_ids, segment.texts, segment.titles)]
    corpus = pa.table([pa.array(column, pa.string()) for column in columns], schema=CORPUS)
    return _built(corpus, [segment.fields[row] for row in in_order], segment.vectors[in_order])


def _joined(parts: Sequence[DeltaPart]) -> DeltaPart:
    """One part of what is live in several."""
    tables = [part.documents.documents.filter(pa.array(part.live)) for part in parts]
    together = pa.concat_tables(tables)
    ids = together.column("doc_id").to_pylist()
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
    vectors = np.concatenate([part.vectors[part.live] for part in parts])[order]
    sorted_table = take_rows(together, order)
    return _built(sorted_table.select(CORPUS.names).cast(CORPUS), sorted_table.column("fields").to_pylist(), vectors)


def _built(corpus: pa.Table, fields: Sequence[str | None], vectors: NDArray[np.float32]) -> DeltaPart:
    return DeltaPart(DocumentsPart.build(corpus, fields), np.ascontiguousarray(vectors), np.ones(corpus.num_rows, dtype=bool))
