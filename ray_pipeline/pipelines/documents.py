"""Stage `documents`: what a service needs of a corpus beside its vectors: texts, fields, inverted lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.artifacts import Artifact, Attempt, File
from ray_pipeline.data.prepared import FIELDS_PART, PreparedData
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.retrieval.documents.build import MakeDocuments, document_parts
from ray_pipeline.retrieval.documents.opened import STAGE

ALGORITHM = 1


def build_documents(run: Run, data: PreparedData, index_part_rows: int) -> Artifact:
    """The documents of a data set, as a service opens them beside an index with parts of so many."""
    corpus, fields = data.corpus(), data.fields()
    inputs = {"corpus": data.artifact.as_input("corpus/")} | ({} if fields is None else {"fields": data.artifact.as_input(FIELDS_PART)})
    stage = Stage(STAGE, ALGORITHM, {}, inputs, {"index_part_rows": index_part_rows})

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        parts = document_parts(len(corpus), index_part_rows)
        todo = [part for part in parts if part["shard"] not in finished]
        make = MakeDocuments(corpus, fields, attempt.location.uri, attempt.prefix)
        records = collect_shards(attempt, "parts/", finished, len(parts), run_shards(todo, dict, make, run.cluster))
        for number, record in enumerate(records):
            for name, file in record["files"].items():
                attempt.adopt(f"{name}/{number:06d}.arrow", File(**file))
        named = sorted({name for record in records for name in record["fields"]})
        return Outcome(len(corpus), {**summed(records), "parts": [record["start"] for record in records], "fields": named}, placed_workers(records))

    return run.ensure(stage, build)
