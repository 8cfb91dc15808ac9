"""Building the documents of an index, part by part: each a pure function of its rows of the corpus."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ray_pipeline.artifacts import parquet_bytes, write_file, write_shard
from ray_pipeline.config import Settings, identity
from ray_pipeline.data.fields import COLUMN
from ray_pipeline.data.mapped import mappable_bytes
from ray_pipeline.data.rows import Rows
from ray_pipeline.retrieval.documents.part import DocumentsPart
from ray_pipeline.storage import Location


class DocumentSettings(Settings):
    """How documents are kept for serving."""

    part_rows: int = identity(1 << 18, "documents a part: the unit of work", ge=1)


@dataclass(frozen=True)
class MakeDocuments:
    """Makes the worker."""

    corpus: Rows
    fields: Rows | None
    artifact: str
    prefix: str

    def __call__(self, device: str) -> BuildDocuments:
        return BuildDocuments(self)


class BuildDocuments:
    """Writes a part's tables."""

    def __init__(self, plan: MakeDocuments) -> None:
        self.plan = plan

    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]:
        started = time.time()
        plan, start, stop = self.plan, payload["start"], payload["stop"]
        corpus = plan.corpus.slice(start, stop, ["doc_id", "text", "title"])
        fields = [None] * corpus.num_rows if plan.fields is None else plan.fields.slice(start, stop, [COLUMN]).column(COLUMN).to_pylist()
        part = DocumentsPart.build(corpus, fields)
        place = Location.of(plan.artifact)
        files = {
            name: write_file(place, f"{plan.prefix}/{name}/{start:012d}.arrow", mappable_bytes(table), table.num_rows)
            for name, table in part.to_tables().items()
        }
        tokens = int(part.postings.lengths.sum(dtype="int64"))
        extra = {
            "files": {name: vars(file) for name, file in files.items()},
            "start": start,
            "counts": {"rows": len(part), "tokens": tokens, "postings": len(part.postings.docs)},
            "fields": part.columns.column_names,
            "started": started,
            "ended": time.time(),
        }
        summary = pa.table({"start": [start], "rows": [len(part)]})
        return write_shard(place, plan.prefix, payload["shard"], parquet_bytes(summary), 1, extra)
