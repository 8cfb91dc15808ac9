"""The chain behind every retrieval job: data -> vectors -> ranking, each stage computed only if it is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ray_pipeline.artifacts import Artifact
from ray_pipeline.config import Settings, identity, section, source
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.errors import SettingsError
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.pipelines.embed import embed_corpus, embed_queries
from ray_pipeline.pipelines.prepare import Data, prepare
from ray_pipeline.pipelines.search import Search, given_ranking, search_index, search_vectors, search_words
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.retrieval.embed import EmbedSettings
from ray_pipeline.retrieval.index_search import IndexSearch
from ray_pipeline.retrieval.search_shards import DenseSearch, LexicalSearch


class ChainSettings(Settings):
    """What all stages of a chain of retrieval share."""

    data: Data = section(..., "the data set")
    model: EmbedderSettings = section(..., "the embedder")
    embed: EmbedSettings = section(EmbedSettings(), "how texts are cut into shards and batches")
    search: Search = section(DenseSearch(), "how documents are found")


class RetrievalSettings(ChainSettings):
    """What a ranking is made of."""

    split: Literal["train", "eval", "rest"] = identity("eval", "which queries")
    ranking: str | None = source(None, "a ranking to use instead of searching: a ranking artifact, or a TREC run file")


@dataclass(frozen=True)
class Retrieved:
    """A ranking and what it was made from; `corpus` and `queries` are vectors, absent for a search by words."""

    data: PreparedData
    split: str
    ranking: Artifact
    corpus: Artifact | None = None
    queries: Artifact | None = None
    first: Artifact | None = None  # the ranking that was reranked, where one was

    @property
    def searched(self) -> dict[str, Any]:
        """How the ranking was searched for; nothing where it came from a run file."""
        return dict((self.first or self.ranking).manifest["settings"].get("search", {}))


def retrieve(run: Run, settings: RetrievalSettings, data: PreparedData | None = None, *, depth: int = 0) -> Retrieved:
    """The ranking of one split's queries. `depth` is what comes next will read of each list: a search that stops short of it
    is refused before anything is embedded."""
    given = data or prepare(run, settings.data)
    if settings.ranking is not None:
        return Retrieved(given, settings.split, given_ranking(run, given, settings.split, settings.ranking))
    if settings.search.k < min(depth, len(given.corpus())):
        raise SettingsError(f"search.k={settings.search.k}, but the {depth} best documents of each query are needed; set search.k={depth} or more")
    if isinstance(settings.search, LexicalSearch):
        return Retrieved(given, settings.split, search_words(run, given, settings.split, settings.search))
    corpus = embed_corpus(run, given, settings.model, settings.embed)
    queries = embed_queries(run, given, settings.split, settings.model, settings.embed)
    if isinstance(settings.search, IndexSearch):
        ranking = search_index(run, settings.split, corpus, queries, settings.search)
    else:
        ranking = search_vectors(run, given, settings.split, corpus, queries, settings.search)
    return Retrieved(given, settings.split, ranking, corpus, queries)
