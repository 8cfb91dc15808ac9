"""Building the documents of an index, part by part: each a pure function of its rows of the corpus."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from ray_pipeline.artifacts import parquet_bytes, write_file, write_shard
from ray_pipeline.data.fields import COLUMN
from ray_pipeline.data.mapped import mappable_bytes
from ray_pipeline.data.rows import Rows
from ray_pipeline.retrieval.documents.part import DocumentsPart
from ray_pipeline.retrieval.embed import shards_of
from ray_pipeline.storage import Location

_MOST_ROWS: Final = 1 << 18  # documents of a piece


def document_parts(rows: int, index_part_rows: int) -> list[dict[str, int]]:
    """Pieces small enough to be work for many, each within one part of the index: a service's share of the index is then one of the documents."""
    spans = [
        (part["start"] + piece["start"], part["start"] + piece["stop"])
        for part in shards_of(rows, index_part_rows)
        for piece in shards_of(part["stop"] - part["start"], _MOST_ROWS)
    ]
    return [{"shard": number, "start": start, "stop": stop} for number, (start, stop) in enumerate(spans)]


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
