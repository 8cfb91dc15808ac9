"""A part of the documents: texts and fields by row, inverted lists for BM25, all mapped from disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from ray_pipeline.data.columns import titled_text
from ray_pipeline.data.fields import COLUMN, field_columns, fields_of_json
from ray_pipeline.retrieval.lexical.postings import NAMES, Postings

TABLES: Final = ("documents", "columns", *NAMES)  # the tables that a part is kept as


@dataclass(frozen=True)
class DocumentsPart:
    """Documents in doc_id order."""

    documents: pa.Table  # doc_id, text, title, fields (JSON)
    columns: pa.Table  # a column a field; none where no document has one
    postings: Postings

    @classmethod
    def build(cls, corpus: pa.Table, fields: Sequence[str | None]) -> DocumentsPart:
        """Of rows of a corpus, and their fields as JSON."""
        ids = corpus.column("doc_id")
        parsed = [fields_of_json(one, f"document {ids[row].as_py()!r}") for row, one in enumerate(fields)]
        documents = corpus.select(["doc_id", "text", "title"]).append_column(COLUMN, pa.array(fields, pa.string()))
        return cls(_large(documents), field_columns(parsed), Postings.build(titled_text(corpus).to_pylist()))

    def to_tables(self) -> dict[str, pa.Table]:
        """The same as TABLES, which `of_tables` takes."""
        return {"documents": self.documents, "columns": self.columns, **self.postings.to_tables()}

    @classmethod
    def of_tables(cls, tables: dict[str, pa.Table]) -> DocumentsPart:
        return cls(tables["documents"], tables["columns"], Postings.of_tables(tables))

    def __len__(self) -> int:
        return int(self.documents.num_rows)

    def document(self, row: int) -> dict[str, Any]:
        """One document as it was given."""
        found = {name: self.documents.column(name)[row].as_py() for name in ("doc_id", "text", "title", COLUMN)}
        return {**found, COLUMN: fields_of_json(found[COLUMN], found["doc_id"])}


def _large(table: pa.Table) -> pa.Table:
    """Text of more than 2 GiB in one column needs 64-bit offsets."""
    return table.cast(pa.schema([pa.field(field.name, pa.large_string()) for field in table.schema]))
