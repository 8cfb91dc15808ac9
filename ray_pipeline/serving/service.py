"""What a service does with a task: from texts to tokens, through the models and the index, to what was found.

It knows its models and its index only as something it can await, so the same code runs over actors of a cluster and, in tests and notebooks,
over objects in this process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError, SettingsError
from ray_pipeline.models.pair_input import PairInput
from ray_pipeline.models.text_input import TextInput
from ray_pipeline.retrieval.fusion import fused_lists
from ray_pipeline.retrieval.lexical.bm25 import Statistics
from ray_pipeline.serving.admission import Admission
from ray_pipeline.serving.items import Ids, QueryWithDocuments, items_of, texts_of
from ray_pipeline.serving.limits import Limits
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.tasks import Embedded, EmbedTask, Reranked, RerankTask, SearchTask

Vector = NDArray[np.float32]
Result = TypeVar("Result")
_FUSED_DEPTH = 100  # documents of each ranking that a hybrid search puts together, at least


class EmbedBackend(Protocol):
    """Where the embedder runs."""

    async def embed(self, items: Sequence[Ids]) -> Sequence[Vector | Exception]: ...


class RerankBackend(Protocol):
    """Where the reranker runs."""

    async def score(self, items: Sequence[QueryWithDocuments]) -> Sequence[Vector | Exception]: ...


@dataclass(frozen=True)
class Lookup:
    """What the index is asked for: by vectors, by words, or both at once."""

    k: int
    vectors: Vector | None = None
    texts: Sequence[str] | None = None
    filter: Any = None
    state: str | None = None  # the state to search; None: the newest
    known: Statistics | None = None  # of all shares of the collection, for BM25


@dataclass(frozen=True)
class Found:
    """Rankings of (id, score) for each query, and every document in them."""

    state: str  # names the state of the collection that was searched
    dense: Sequence[Sequence[tuple[str, float]]] = ()
    lexical: Sequence[Sequence[tuple[str, float]]] = ()
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class IndexBackend(Protocol):
    """Where the collection is searched."""

    async def search(self, lookup: Lookup) -> Found: ...


@dataclass(frozen=True)
class Hit:
    """One result."""

    doc_id: str
    retrieval_score: float
    rerank_score: float | None
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Searched:
    """Results for each query, what they came from, and where the time went."""

    hits: Sequence[Sequence[Hit]]
    state: str
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class EmbedSide:
    """An embedder as requests meet it: how it reads texts, where it runs."""

    reads: TextInput
    dim: int
    normalizes: bool
    backend: EmbedBackend


@dataclass(frozen=True)
class RerankSide:
    """A reranker as requests meet it."""

    reads: PairInput
    shared: bool
    shares_already: bool  # its scores lie between 0 and 1 as they are
    token_budget: int
    backend: RerankBackend


class Service:
    """Answers tasks within limits."""

    def __init__(self, limits: Limits, embedder: EmbedSide | None, reranker: RerankSide | None, index: IndexBackend | None) -> None:
        self.limits, self.embedder, self.reranker, self.index = limits, embedder, reranker, index
        self.admission = Admission(limits)

    async def embed(self, task: EmbedTask) -> Embedded:
        self.limits.check_items(task.texts, "input")
        side = _there(self.embedder, "embedder")
        if task.dimensions is not None and task.dimensions > side.dim:
            raise RequestError("invalid_request", f"dimensions={task.dimensions}, and the model's vectors have {side.dim}", "dimensions")
        items = _tokens(side.reads, task)
        count = sum(map(len, items))
        self.limits.check_tokens(count, "input")
        with self.admission.work(count):
            vectors = np.stack(_whole(await side.backend.embed(items), "input"))
        return Embedded(np.ascontiguousarray(_finished(vectors, task, side)), count)

    async def rerank(self, task: RerankTask) -> Reranked:
        self.limits.check_items(task.documents, "documents")
        side = _there(self.reranker, "reranker")
        items, count = _pairs(side, task.query, task.documents, cut=task.cut)
        self.limits.check_tokens(count, "documents")
        with self.admission.work(count):
            scores = np.concatenate(_whole(await side.backend.score(items), "documents"))
        return Reranked(scores if task.raw or side.shares_already else _share(scores), count)

    async def search(self, task: SearchTask) -> Searched:
        index = _there(self.index, "index")
        self.limits.check_items(task.queries, "queries")
        self.limits.check_pairs(len(task.queries), task.rerank_top_n if task.rerank else 0)
        seconds: dict[str, float] = {}
        depth = max(task.top_k, task.rerank_top_n if task.rerank else 0)
        vectors = None
        if task.mode != "lexical":
            with _timed(seconds, "embed"):
                vectors = (await self.embed(EmbedTask(task.queries, "query"))).vectors
        with _timed(seconds, "search"):
            texts = task.queries if task.mode != "dense" else None
            asked = Lookup(max(depth, _FUSED_DEPTH) if task.mode == "hybrid" else depth, vectors, texts, task.filter)
            found = await index.search(asked)
        rankings = [ranking[:depth] for ranking in _rankings(found, task)]
        hits = [[Hit(name, score, None, found.documents[name]) for name, score in ranking] for ranking in rankings]
        if task.rerank:
            with _timed(seconds, "rerank"):
                pairs = zip(task.queries, hits, strict=True)
                hits = await asyncio.gather(*(self._reordered(query, ranking, task.rerank_top_n) for query, ranking in pairs))
        return Searched([ranking[: task.top_k] for ranking in hits], found.state, seconds)

    async def _reordered(self, query: str, hits: Sequence[Hit], count: int) -> list[Hit]:
        """The first `count` by the reranker, ties by what retrieval said; the rest behind them."""
        head, rest = hits[:count], hits[count:]
        if not head:
            return list(rest)
        scores = (await self.rerank(RerankTask(query, [text_of(hit.document) for hit in head]))).scores
        scored = [Hit(hit.doc_id, hit.retrieval_score, float(score), hit.document) for hit, score in zip(head, scores, strict=True)]
        return [*sorted(scored, key=lambda hit: -(hit.rerank_score or 0.0)), *rest]


def text_of(document: Mapping[str, Any]) -> str:
    """What a model reads of a document: the title, where it has one, and the text."""
    return f"{document['title']} {document['text']}" if document.get("title") else str(document["text"])


def _there(part: Result | None, name: str) -> Result:
    if part is None:
        raise RequestError("not_found", f"there is no {name} in this service")
    return part


def _tokens(reads: TextInput, task: EmbedTask) -> list[Ids]:
    encoder = reads.encoder
    try:
        tokens = encoder.around(task.texts) if task.of_ids else reads.tokens(task.texts, task.side)  # type: ignore[arg-type]
    except (DataError, SettingsError) as problem:
        raise RequestError("invalid_request", str(problem), "input") from problem
    if tokens.truncated and not task.cut:
        raise RequestError(
            "too_large", f"{tokens.truncated} texts are longer than the {encoder.max_length} tokens that the model reads; let them be cut"
        )
    return texts_of(tokens)


def _pairs(side: RerankSide, query: str, documents: Sequence[str], *, cut: bool) -> tuple[list[QueryWithDocuments], int]:
    encoder = side.reads.encoder
    try:
        pairs = encoder.encode([query], list(documents), np.zeros(len(documents), dtype=np.int64))
    except (DataError, SettingsError) as problem:
        raise RequestError("invalid_request", str(problem), "documents") from problem
    if pairs.bodies.truncated and not cut:
        raise RequestError(
            "too_large", f"{pairs.bodies.truncated} documents do not fit the {encoder.max_length} tokens that the model reads; let them be cut"
        )
    items = items_of(pairs, shared=side.shared, token_budget=side.token_budget)
    return items, sum(item.length(shared=side.shared) for item in items)


def _whole(results: Sequence[Vector | Exception], where: str) -> list[Vector]:
    """The results, if every item has one."""
    found: list[Vector] = []
    for row, result in enumerate(results):
        if isinstance(result, Exception):
            raise RequestError("model_failed", f"{where}.{row}: {result}", f"{where}.{row}")
        found.append(result)
    return found


def _finished(vectors: Vector, task: EmbedTask, side: EmbedSide) -> Vector:
    """Cut to the asked size and scaled, as the model would have given them at that size."""
    if task.dimensions is not None and task.dimensions < vectors.shape[1]:
        vectors = vectors[:, : task.dimensions]
        scaled = side.normalizes if task.normalize is None else task.normalize
    else:
        scaled = bool(task.normalize) and not side.normalizes
    if not scaled:
        return vectors
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _share(scores: Vector) -> Vector:
    """Logits as shares between 0 and 1."""
    return np.asarray(1 / (1 + np.exp(-scores.astype(np.float64))), dtype=np.float32)


def _rankings(found: Found, task: SearchTask) -> Sequence[Sequence[tuple[str, float]]]:
    if task.mode == "dense":
        return found.dense
    if task.mode == "lexical":
        return found.lexical
    both = zip(found.dense, found.lexical, strict=True)
    return [fused_lists([[name for name, _ in one] for one in pair]) for pair in both]


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[phase] = time.perf_counter() - started
