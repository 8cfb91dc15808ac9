"""Stage `vectors`: the texts of one table as vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.artifacts import Artifact, Attempt
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.data.rows import Rows
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.source import locate
from ray_pipeline.pipelines.stage import Outcome, Run, Stage, collect_shards, placed_workers, summed
from ray_pipeline.placement.shards import run_shards
from ray_pipeline.retrieval.embed import EmbedSettings, MakeEmbedShard, TokeniseShard, shards_of
from ray_pipeline.text.prompts import Side

ALGORITHM = 3


def embed_corpus(run: Run, data: PreparedData, model: EmbedderSettings, settings: EmbedSettings) -> Artifact:
    return _embed(run, data, "corpus/", "doc_id", "document", model, settings)


def embed_queries(run: Run, data: PreparedData, split: str, model: EmbedderSettings, settings: EmbedSettings) -> Artifact:
    return _embed(run, data, data.query_part(split), "query_id", "query", model, settings)


def _embed(run: Run, data: PreparedData, part: str, id_column: str, side: Side, model: EmbedderSettings, settings: EmbedSettings) -> Artifact:
    files = locate(model.name, model.revision)
    rows = Rows.of(data.artifact, part)
    stage = Stage(
        "vectors",
        ALGORITHM,
        {"model": model, "embed": settings},
        {"texts": data.artifact.as_input(part), "model": files.as_input()},
        {"side": side},
    )

    def build(attempt: Attempt, finished: Mapping[int, Mapping[str, Any]]) -> Outcome:
        shards = shards_of(len(rows), settings.shard_rows)
        todo = [shard for shard in shards if shard["shard"] not in finished]
        prepare = TokeniseShard(rows, id_column, model, side)
        make = MakeEmbedShard(model, settings, attempt.location.uri, attempt.prefix)
        records = collect_shards(attempt, "vectors/", finished, len(shards), run_shards(todo, prepare, make, run.cluster))
        metrics = {"dim": records[0]["dim"], **summed(records), "model": files.name, "revision": files.revision}
        return Outcome(len(rows), metrics, placed_workers(records))

    return run.ensure(stage, build)
