"""Turn the texts of a data set into vectors, shard by shard."""

from __future__ import annotations

from typing import Literal

from jobs.command_line import JobSettings, main
from ray_pipeline.config import identity, section
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.embed import embed_corpus, embed_queries
from ray_pipeline.pipelines.prepare import Data, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.retrieval.embed import EmbedSettings


class EmbedJob(JobSettings):
    data: Data = section(..., "the data set")
    model: EmbedderSettings = section(..., "the embedder")
    embed: EmbedSettings = section(EmbedSettings(), "how texts are cut into shards and batches")
    side: Literal["corpus", "train", "eval", "rest"] = identity("corpus", "what to embed: the documents, or a split's queries")


def embed(settings: EmbedJob, run: Run) -> None:
    data = prepare(run, settings.data)
    if settings.side == "corpus":
        vectors = embed_corpus(run, data, settings.model, settings.embed)
    else:
        vectors = embed_queries(run, data, settings.side, settings.model, settings.embed)
    print(f"{vectors.manifest['rows']:,} vectors of {vectors.metrics['dim']} dimensions: {vectors.location.uri}")


if __name__ == "__main__":
    main("embed", EmbedJob, embed)
