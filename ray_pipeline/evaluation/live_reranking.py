"""Measuring a reranker while it is being trained: the best candidates of one ranking, scored and put in order again.

Candidates and their tokens are prepared once. Rows are shared out by rank. Behind the candidates stands what the first stage found,
which no reranker moves.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from ray_pipeline.artifacts import Artifact
from ray_pipeline.data.columns import titled_text
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.live_retrieval import KS, judged_share, shown_figures
from ray_pipeline.evaluation.retrieval import label_groups, split_qrels
from ray_pipeline.metrics.qrels import relevance
from ray_pipeline.metrics.ranking import evaluate_ranking
from ray_pipeline.models.pair_input import PairInput
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.objectives.listwise import listwise_rows
from ray_pipeline.ranking import PAD_DOC, Ranking
from ray_pipeline.retrieval.rerank import reordered
from ray_pipeline.retrieval.search_shards import ranking_of
from ray_pipeline.training.distributed import Group

_TOKEN_BUDGET = 8192
_MAX_ROWS = 256


class LiveReranking:
    """The candidates of one split's queries, or of a seeded share of them."""

    def __init__(
        self,
        data: PreparedData,
        split: str,
        ranking: Artifact,
        candidates: int,
        pair_input: PairInput,
        group: Group,
        *,
        share: float = 1.0,
        seed: int = 0,
        precision: Literal["fp32", "bf16"] = "fp32",
    ) -> None:
        self.group, self.precision = group, precision
        qrels = split_qrels(data, split)
        kept = judged_share(data, split, qrels, share, seed)
        self.first = _lists(ranking, kept, max(candidates, *KS))
        self.qrels = qrels.take(kept)
        self.groups = {name: members[kept] for name, members in label_groups(data, split, qrels).items()}
        mine = group.share(len(kept))
        docs = self.first.docs[mine, :candidates]
        filled = docs != PAD_DOC
        queries = data.queries(split).table(["text"]).column("text").take(kept[mine]).to_pylist()
        texts = titled_text(data.corpus().table(["text", "title"])).take(pa.array(docs[filled])).to_pylist()
        self.filled = filled
        self.pairs = pair_input.encoder.encode(queries, texts, np.nonzero(filled)[0])

    def measure(self, model: Reranker) -> dict[str, float]:
        """The figures of the model as it is; every rank gets the same."""
        scores = np.full(self.filled.shape, -np.inf, dtype=np.float32)
        with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            scores[self.filled] = model.score(self.pairs, _TOKEN_BUDGET, _MAX_ROWS)
        whole = torch.cat(self.group.gather_rows(torch.from_numpy(scores).to(self.group.device))).cpu().numpy()
        figures: dict[str, float] = {}
        if self.group.leads:
            ranking = reordered(self.first, whole)
            figures = shown_figures(evaluate_ranking(ranking, self.qrels, KS, groups=self.groups))
            figures["eval_loss"] = self._loss(whole)
        found: dict[str, float] = self.group.from_leader(figures)
        return found

    def _loss(self, scores: NDArray[np.float32]) -> float:
        """The mean cross entropy of each query's best ranked positive among its candidates without the other positives; of queries
        that have one there."""
        docs = self.first.docs[:, : scores.shape[1]]
        relevant = relevance(docs, self.first.queries, self.qrels) >= self.qrels.min_grade
        rows = np.flatnonzero(relevant.any(1))
        if not len(rows):
            return float("nan")
        first = relevant[rows].argmax(1)
        listed = (docs[rows] != PAD_DOC) & ~relevant[rows]
        order = np.concatenate([first[:, None], np.broadcast_to(np.arange(docs.shape[1]), listed.shape)], axis=1)
        lists = torch.from_numpy(np.take_along_axis(scores[rows], order, 1))
        real = torch.from_numpy(np.concatenate([np.ones((len(rows), 1), dtype=bool), listed], axis=1))
        return float(listwise_rows(torch.where(real, lists, 0), real)[0].mean())


def _lists(ranking: Artifact, rows: NDArray[np.int64], count: int) -> Ranking:
    """The best `count` documents of some queries, numbered anew; a query that the ranking lacks is an error."""
    whole = ranking_of(ranking)
    place = np.full(int(max(whole.queries.max(initial=-1), rows.max(initial=-1))) + 1, -1, dtype=np.int64)
    place[whole.queries] = np.arange(len(whole.queries))
    at = place[rows]
    if (at < 0).any():
        raise DataError(f"{ranking.location.uri}: the ranking lacks {int((at < 0).sum())} of the queries that are evaluated; rank that split")
    docs, scores = whole.docs[at, :count], whole.scores[at, :count]
    return Ranking(np.arange(len(rows)), docs, scores)
