"""From a data set to a version of a collection: vectors, an index of them, the documents, and the pointer that services follow."""

from __future__ import annotations

from dataclasses import dataclass

from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import Settings, placement, section
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.documents import build_documents
from ray_pipeline.pipelines.embed import embed_corpus, embed_queries
from ray_pipeline.pipelines.index import build_index
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.embed import EmbedSettings
from ray_pipeline.retrieval.index.settings import IndexSettings


class PublishSettings(Settings):
    """What is built of a corpus, and where it is published."""

    index: IndexSettings = section(IndexSettings(), "the index")
    collection: str | None = placement(None, "publish as the version in use of this collection")
    note: str = placement("", "a word about this version")


@dataclass(frozen=True)
class Built:
    """What a version serves, and the collection it became one of."""

    index: Artifact
    documents: Artifact
    collection: Collection | None


def index_corpus(
    run: Run, data: PreparedData, model: EmbedderSettings, embed: EmbedSettings, settings: PublishSettings, reranker: str | None = None
) -> Built:
    """The index of a data set's documents, measured with its queries. `reranker`: where the one lies that services put results in order with."""
    corpus = embed_corpus(run, data, model, embed)
    split = _asking(data)
    asked = None if split is None else embed_queries(run, data, split, model, embed)
    index = build_index(run, corpus, settings.index, asked)
    documents = build_documents(run, data, settings.index.part_rows)
    if settings.collection is None:
        return Built(index, documents, None)
    collection = Collection(run.workspace.root, settings.collection)
    run.act(f"publish to collection {collection.name}", lambda: collection.publish(index, documents, note=settings.note, reranker=reranker))
    return Built(index, documents, collection)


def _asking(data: PreparedData) -> str | None:
    """The split whose queries measure the recall: as near to a user's as the data has."""
    return next((split for split in ("eval", "train", "rest") if data.artifact.files(f"queries/{split}/")), None)
