"""Measuring retrieval while a model is being trained: no artifacts, all ranks embed, the first one searches and measures.

Everything that does not depend on the weights (tokens, judgements, who is seen and unseen) is prepared once. Rows are shared
out by rank, so the figures agree with those of one process up to the last bits of a vector.

Trap: under FSDP every forward pass is a collective, so ranks with fewer batches embed their first one again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ray_pipeline.data.columns import rows_of, titled_text
from ray_pipeline.data.prepared import PreparedData
from ray_pipeline.errors import DataError
from ray_pipeline.evaluation.retrieval import label_groups, split_qrels
from ray_pipeline.metrics.qrels import Qrels
from ray_pipeline.metrics.ranking import RankingResult, evaluate_ranking
from ray_pipeline.models.answering import answering
from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.text_input import TextInput
from ray_pipeline.objectives.batch_facts import BatchFacts
from ray_pipeline.objectives.contrastive import contrastive_loss
from ray_pipeline.objectives.contrastive_settings import ContrastiveSettings
from ray_pipeline.retrieval.exact.search import search
from ray_pipeline.retrieval.exclusion import Exclusion
from ray_pipeline.text.batches import pad, plan_batches
from ray_pipeline.text.tokens import Tokens
from ray_pipeline.training.distributed import Group

KS: Final = (1, 2, 4, 8, 10, 16, 25, 32, 64)
SHOWN: Final = ("eval_loss", "map@25", "recall@25", "seen/map@25", "unseen/map@25")
_TOKEN_BUDGET: Final = 8192
_MAX_ROWS: Final = 256


@dataclass(frozen=True, eq=False)
class EvaluatedRows:
    """The queries that are measured, what they are to find, and what they must not."""

    queries: Tokens
    documents: Tokens
    qrels: Qrels
    groups: Mapping[str, NDArray[np.bool_]]
    itself: Exclusion | None
    keys: NDArray[np.int64]  # [m] a number a document, equal for equal texts


class LiveRetrieval:
    """Retrieval of one split's queries, or of a seeded share of them."""

    def __init__(
        self,
        data: PreparedData,
        split: str,
        text_input: TextInput,
        group: Group,
        *,
        share: float = 1.0,
        seed: int = 0,
        precision: Literal["fp32", "bf16"] = "fp32",
        objective: ContrastiveSettings | None = None,
        batch_size: int = 64,
        exclude_self: bool = False,
    ) -> None:
        self.group, self.precision = group, precision
        self.objective, self.batch_size = objective, batch_size
        self.rows = _prepared(data, split, text_input, share, seed, exclude_self)

    def measure(self, model: Embedder) -> dict[str, float]:
        """The figures of the model as it is; every rank gets the same."""
        rows = self.rows
        queries, documents = (self._embed(model, tokens) for tokens in (rows.queries, rows.documents))
        figures: dict[str, float] = {}
        if self.group.leads:
            ranking = search(queries, documents, min(max(KS), len(documents)), exclude=rows.itself)
            figures = shown_figures(evaluate_ranking(ranking, rows.qrels, KS, groups=rows.groups))
            if self.objective is not None:
                figures["eval_loss"] = self._loss(queries, documents, self.objective)
        found: dict[str, float] = self.group.from_leader(figures)
        return found

    def _embed(self, model: Embedder, tokens: Tokens) -> NDArray[np.float32]:
        mine = self.group.share(len(tokens))
        lengths = tokens.lengths[mine]
        batches = [batch + mine.start for batch in plan_batches(lengths, _TOKEN_BUDGET, _MAX_ROWS)]
        vectors = torch.zeros((len(lengths), model.output_dim), device=self.group.device)
        with answering(model):
            for turn in range(self.group.largest(len(batches))):
                batch = batches[turn] if turn < len(batches) else np.zeros(1, dtype=np.int64)
                made = self._forward(model, tokens, batch)
                if turn < len(batches):
                    vectors[torch.from_numpy(batch - mine.start)] = made
        found: NDArray[np.float32] = torch.cat(self.group.gather_rows(vectors)).cpu().numpy()
        return found

    @torch.no_grad()
    def _forward(self, model: Embedder, tokens: Tokens, batch: NDArray[np.int64]) -> torch.Tensor:
        ids, mask = pad(tokens.ids, tokens.offsets, batch, model.text_input.encoder.pad_id)
        device = self.group.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            vectors: torch.Tensor = model(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
        return vectors.float()

    @torch.no_grad()
    def _loss(self, queries: NDArray[np.float32], documents: NDArray[np.float32], objective: ContrastiveSettings) -> float:
        """The training's contrastive loss on these queries and the first positive of each, in batches of the training's size."""
        qrels, keys = self.rows.qrels, self.rows.keys
        judged = np.flatnonzero(qrels.positives > 0)
        plain = ContrastiveSettings(similarity=objective.similarity, temperature=objective.temperature)
        total = 0.0
        for start in range(0, len(judged), self.batch_size):
            rows = judged[start : start + self.batch_size]
            docs = np.array([_first_positive(qrels, int(row)) for row in rows])
            key = torch.from_numpy(keys[docs])
            facts = BatchFacts(range(len(rows)), torch.arange(len(rows))[:, None], key, key, torch.from_numpy(rows))
            total += float(contrastive_loss(torch.from_numpy(queries[rows]), torch.from_numpy(documents[docs]), facts, plain).sum())
        return total / len(judged) if len(judged) else math.nan


def _prepared(data: PreparedData, split: str, text_input: TextInput, share: float, seed: int, exclude_self: bool) -> EvaluatedRows:
    qrels = split_qrels(data, split)
    kept = judged_share(data, split, qrels, share, seed)
    table, corpus = data.queries(split).table(["query_id", "text"]), data.corpus().table(["text", "title"])
    texts = titled_text(corpus)
    queries = text_input.tokens(table.column("text").take(kept).to_pylist(), "query")
    documents = text_input.tokens(texts.to_pylist(), "document")
    groups = {name: members[kept] for name, members in label_groups(data, split, qrels).items()}
    itself = _own_documents(rows_of(table.column("query_id").take(kept), data.doc_ids())) if exclude_self else None
    keys = np.unique(np.array(texts.to_pylist(), dtype=object), return_inverse=True)[1].astype(np.int64)
    return EvaluatedRows(queries, documents, qrels.take(kept), groups, itself, keys)


def judged_share(data: PreparedData, split: str, qrels: Qrels, share: float, seed: int) -> NDArray[np.int64]:
    """The rows of a seeded share of the queries that have something to find."""
    judged = np.flatnonzero(qrels.positives > 0)
    if not len(judged):
        raise DataError(f"{data.artifact.location.uri}: no query of split {split!r} has a positive, so there is nothing to evaluate on")
    count = max(1, round(share * len(judged)))
    return np.sort(np.random.default_rng(seed).permutation(judged)[:count]) if count < len(judged) else judged


def _own_documents(rows: NDArray[np.int64]) -> Exclusion:
    """Each query's own document, where it has one."""
    return Exclusion(np.concatenate([[0], np.cumsum(rows >= 0)]), rows[rows >= 0])


def _first_positive(qrels: Qrels, row: int) -> int:
    mine = slice(qrels.indptr[row], qrels.indptr[row + 1])
    return int(qrels.docs[mine][np.flatnonzero(qrels.grades[mine] >= qrels.min_grade)[0]])


def shown_figures(result: RankingResult) -> dict[str, float]:
    """The measures that are followed while a model is trained."""
    wanted = ["map@25", "mrr", "ndcg@10", *(f"recall@{k}" for k in result.ks)]
    figures = {name: float(result.means[name]) for name in wanted}
    for group, means in result.groups.items():
        if means.queries:
            figures[f"{group}/map@25"] = float(means.means["map@25"])
    return figures
