"""Build an index of a data set's documents, measure what it finds, and publish it if that is enough.

With `collection=NAME` it becomes the version in use of a collection, which a service serves.
"""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.artifacts import load
from ray_pipeline.config import placement, section
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.prepare import Data, prepare
from ray_pipeline.pipelines.publish import Built, PublishSettings, index_corpus
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.reports.index import index_table, versions_table
from ray_pipeline.retrieval.embed import EmbedSettings


class IndexJob(JobSettings, PublishSettings):
    data: Data = section(..., "the data set whose documents are indexed; its queries measure the recall")
    model: EmbedderSettings = section(..., "the embedder")
    embed: EmbedSettings = section(EmbedSettings(), "how texts are cut into shards and batches")
    with_reranker: str | None = placement(None, "a reranker's artifact: services of this version put results in order with it")

    def publishing(self) -> PublishSettings:
        """The part that says what is built and where it goes."""
        return PublishSettings(**{name: getattr(self, name) for name in PublishSettings.model_fields})


def index(settings: IndexJob, run: Run) -> None:
    reranker = None if settings.with_reranker is None else load(settings.with_reranker, "reranker").location.uri
    show(index_corpus(run, prepare(run, settings.data), settings.model, settings.embed, settings.publishing(), reranker))


def show(built: Built) -> None:
    print(index_table(built.index))
    print(f"index: {built.index.location.uri}\ndocuments: {built.documents.location.uri}")
    if built.collection is not None and built.collection.exists():
        print(versions_table(built.collection))


if __name__ == "__main__":
    main("index", IndexJob, index)
