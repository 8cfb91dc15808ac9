"""A segment: one batch of changes to a collection, whole or not there.

It is an Arrow file with a row a change: a document with its vector, or the id of one that is gone. The vectors' model stands in it, since
vectors of two models do not compare.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import ArtifactError

_MODEL = b"embedder"


@dataclass(frozen=True)
class Segment:
    """Changes in the order they were made; of two to one document the later counts."""

    doc_ids: Sequence[str]
    texts: Sequence[str | None]  # None: the document is deleted
    titles: Sequence[str | None]
    fields: Sequence[str | None]  # JSON
    vectors: NDArray[np.float32]  # [changes, dim], zeros for what is deleted
    embedder: str  # the fingerprint of the model

    def __len__(self) -> int:
        return len(self.doc_ids)

    def to_bytes(self) -> bytes:
        dim = self.vectors.shape[1]
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(self.vectors, dtype=np.float32).reshape(-1)), dim)
        texts = {name: pa.array(getattr(self, name), pa.large_string()) for name in ("doc_ids", "texts", "titles", "fields")}
        table = pa.table({**texts, "vectors": vectors}).replace_schema_metadata({_MODEL: self.embedder.encode()})
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, where: object) -> Segment:
        try:
            table = pa.ipc.open_file(pa.BufferReader(data)).read_all().combine_chunks()
            named: dict[str, Any] = {name: table.column(name).to_pylist() for name in ("doc_ids", "texts", "titles", "fields")}
            column = table.column("vectors").combine_chunks()
            vectors = column.flatten().to_numpy().reshape(len(column), column.type.list_size)
            return cls(**named, vectors=vectors, embedder=table.schema.metadata[_MODEL].decode())
        except (pa.ArrowInvalid, KeyError, TypeError, AttributeError) as problem:
            raise ArtifactError(f"{where}: not a segment of changes, or damaged ({problem}); restore the file from a copy") from problem
