"""FlagEmbedding's training files: JSON Lines of `query`, `pos`, `neg`, `pos_scores`, `neg_scores`, `prompt`.

Ids travel in `query_id`, `pos_id` and `neg_id`, which its trainers ignore. The score lists are a teacher's, parallel to the
texts; they are left out where none is known: a student would be taught the scores of a search.
https://github.com/FlagOpen/FlagEmbedding (examples/finetune).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from ray_pipeline.data.dataset import RetrievalDataset
from ray_pipeline.data.groups import dataset_of_groups, scored_texts
from ray_pipeline.data.lines import json_rows, write_json_lines
from ray_pipeline.data.located import TableBuilder
from ray_pipeline.schemas import GROUPS, conform


def read_flag_embedding(path: str) -> RetrievalDataset:
    """The queries, documents and positives of the file `path`."""
    groups, replaced = _read_groups(path)
    return dataset_of_groups(groups, path, replaced_surrogates=replaced)


def read_flag_groups(path: str) -> pa.Table:
    """The rows of the file `path` as training rows (GROUPS), scores, ids and prompts included."""
    return conform(_read_groups(path)[0], GROUPS, path)


def write_flag_embedding(groups: pa.Table | Iterable[pa.RecordBatch], path: str) -> None:
    """Training rows as a FlagEmbedding file; `read_flag_groups` gives the same rows back."""
    write_json_lines(path, (_line(row) for row in group_rows(groups)))


def group_rows(groups: pa.Table | Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    """Training rows one by one, a thousand in memory at a time."""
    batches = groups.to_batches(max_chunksize=1024) if isinstance(groups, pa.Table) else groups
    for batch in batches:
        yield from batch.to_pylist()


def _read_groups(path: str) -> tuple[pa.Table, int]:
    builder = TableBuilder(GROUPS)
    for row in json_rows(path):
        positives = scored_texts(row, "pos", "pos_id", "pos_scores")
        negatives = scored_texts(row, "neg", "neg_id", "neg_scores")
        builder.add(row, row.optional_identifier("query_id"), row.text("query"), positives, negatives, row.optional_text("prompt"))
    return builder.finish(), builder.replaced_surrogates


def _line(row: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {} if row["query_id"] is None else {"query_id": row["query_id"]}
    line["query"] = row["query"]
    for field, short in (("positives", "pos"), ("negatives", "neg")):
        line[short] = [item["text"] for item in row[field]]
        line[f"{short}_id"] = [item["id"] for item in row[field]]
        scores = [item["teacher_score"] for item in row[field]]
        if any(score is not None for score in scores):
            line[f"{short}_scores"] = scores
    if row["prompt"] is not None:
        line["prompt"] = row["prompt"]
    return line
