"""Build an index of a data set's documents, measure what it finds, and publish it if that is enough.

With `collection=NAME` it becomes the version in use of a collection, which a service serves.
"""

from __future__ import annotations

from jobs.command_line import JobSettings, main
from ray_pipeline.config import placement, section
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.documents import build_documents
from ray_pipeline.pipelines.embed import embed_corpus, embed_queries
from ray_pipeline.pipelines.index import build_index
from ray_pipeline.pipelines.prepare import Data, prepare
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.reports.index import index_table, versions_table
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.documents.build import DocumentSettings
from ray_pipeline.retrieval.embed import EmbedSettings
from ray_pipeline.retrieval.index.settings import IndexSettings


class IndexJob(JobSettings):
    data: Data = section(..., "the data set whose documents are indexed; its queries measure the recall")
    model: EmbedderSettings = section(..., "the embedder")
    embed: EmbedSettings = section(EmbedSettings(), "how texts are cut into shards and batches")
    index: IndexSettings = section(IndexSettings(), "the index")
    collection: str | None = placement(None, "publish as the version in use of this collection")
    note: str = placement("", "a word about this version")
    documents: DocumentSettings = section(DocumentSettings(), "how texts, fields and words are kept beside it")


def index(settings: IndexJob, run: Run) -> None:
    data = prepare(run, settings.data)
    corpus = embed_corpus(run, data, settings.model, settings.embed)
    split = _asking(data)
    asked = None if split is None else embed_queries(run, data, split, settings.model, settings.embed)
    built = build_index(run, corpus, settings.index, asked)
    print(index_table(built))
    documents = build_documents(run, data, settings.documents)
    print(f"index: {built.location.uri}")
    print(f"documents: {documents.location.uri}")
    if settings.collection is not None:
        collection = Collection(run.workspace.root, settings.collection)
        run.act(f"publish to collection {collection.name}", lambda: collection.publish(built, documents, note=settings.note))
        print(versions_table(collection))


def _asking(data: PreparedData) -> str | None:
    """The split whose queries measure the recall: as near to a user's as the data has."""
    return next((split for split in ("eval", "train", "rest") if data.artifact.files(f"queries/{split}/")), None)


if __name__ == "__main__":
    main("index", IndexJob, index)
