"""The table of all endpoints: which shape is read, which task it stands for, which answer is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from ray_pipeline.serving.http.document_lines import Writer, document_lines
from ray_pipeline.serving.http.endpoint import Answer, Endpoint, WriteError, json_answer
from ray_pipeline.serving.http.openapi import document
from ray_pipeline.serving.http.pages import asset
from ray_pipeline.serving.http.telemetry import Telemetry
from ray_pipeline.serving.limits import Limits
from ray_pipeline.serving.service import Searched, Service
from ray_pipeline.serving.shapes.cohere import EmbedRequest, RerankRequest, RerankRequestV1, cohere_error, embed_answer, rerank_answer
from ray_pipeline.serving.shapes.model import read
from ray_pipeline.serving.shapes.openai import EmbeddingsRequest, embeddings_answer, openai_error
from ray_pipeline.serving.shapes.search import ChangeRequest, SearchRequest, our_error
from ray_pipeline.serving.shapes.tei import TeiEmbedRequest, TeiRerankRequest, tei_error, tei_rerank_answer

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True)
class About:
    """What `/info` says beside limits and load."""

    version: str
    embedder: dict[str, Any] | None
    reranker: dict[str, Any] | None
    collection: str | None
    state: Callable[[], str | None] = field(default=lambda: None)


def endpoints(service: Service, telemetry: Telemetry, about: About, writer: Writer | None) -> list[Endpoint]:
    """All of a service's endpoints."""
    table = [*_ours(service, about, writer), *_openai(service, about), *_cohere(service, about), *_tei(service, about)]
    table += [
        Endpoint("GET", "/health", "whether it answers", _said({"status": "ok"}), our_error, None, result={"status": "ok"}),
        Endpoint("GET", "/metrics", "counters in Prometheus's format", _metrics(telemetry), our_error),
    ]
    described = document(table, about.version)
    pages = [
        Endpoint("GET", "/openapi.json", "this service as an OpenAPI document", _said(described), our_error),
        Endpoint("GET", "/", "a page to search on", asset("search.html"), our_error),
        Endpoint("GET", "/docs", "a page about every endpoint", asset("docs.html"), our_error),
        *(Endpoint("GET", f"/page/{name}", "part of a page", asset(name), our_error) for name in ("search.js", "docs.js", "page.css")),
    ]
    return [*table, *pages]


def _said(value: Any) -> Callable[[Any], Awaitable[Answer]]:
    answer = json_answer(value)

    async def act(_: Any) -> Answer:
        return answer

    return act


def _metrics(telemetry: Telemetry) -> Callable[[Any], Awaitable[Answer]]:
    async def act(_: Any) -> Answer:
        return Answer(telemetry.text(), "text/plain; version=0.0.4; charset=utf-8")

    return act


def _posted(
    path: str, summary: str, shape: type[Shape], act: Callable[[Shape], Awaitable[Any]], wrong: WriteError, tag: str, **more: Any
) -> Endpoint:
    """An endpoint that reads a shape and answers with plain values."""

    async def answered(body: Any) -> Answer:
        return json_answer(await act(read(shape, body)))

    return Endpoint("POST", path, summary, answered, wrong, shape=shape, tag=tag, **more)


def _ours(service: Service, about: About, writer: Writer | None) -> list[Endpoint]:
    async def search(request: SearchRequest) -> Any:
        return _search_answer(request, await service.search(request.task()), about)

    async def info(_: Any) -> Answer:
        return json_answer(_info(service, about))

    found = [Endpoint("GET", "/info", "models, collection, limits, load", info, our_error)]
    if service.index is not None:
        found.append(_posted("/search", "documents of the collection for a query", SearchRequest, search, our_error, "search"))
    if writer is not None:
        summary = "add, replace and delete documents; also as a stream of JSON lines (application/x-ndjson)"
        lines = document_lines(writer)
        found.append(_posted("/documents", summary, ChangeRequest, writer.change, our_error, "search", right="change", lines=lines))
    return found


def _openai(service: Service, about: About) -> list[Endpoint]:
    if service.embedder is None:
        return []
    name = str((about.embedder or {}).get("name"))

    async def embeddings(request: EmbeddingsRequest) -> Any:
        return embeddings_answer(request, await service.embed(request.task()), name)

    models = {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "ray_pipeline"}]}
    return [
        _posted("/v1/embeddings", "vectors, as OpenAI gives them", EmbeddingsRequest, embeddings, openai_error, "OpenAI"),
        Endpoint("GET", "/v1/models", "the embedder, as OpenAI lists models", _said(models), openai_error, tag="OpenAI"),
    ]


def _cohere(service: Service, about: About) -> list[Endpoint]:
    name = str((about.reranker or {}).get("name"))

    async def rerank(request: RerankRequest) -> Any:
        return rerank_answer(request, await service.rerank(request.task()), "2", name)

    async def rerank_v1(request: RerankRequestV1) -> Any:
        return rerank_answer(request, await service.rerank(request.task()), "1", name)

    async def embed(request: EmbedRequest) -> Any:
        return embed_answer(request, await service.embed(request.task()), "2")

    async def embed_v1(request: EmbedRequest) -> Any:
        return embed_answer(request, await service.embed(request.task()), "1")

    found = []
    if service.reranker is not None:
        found += [
            _posted("/v2/rerank", "documents in order, as Cohere gives them", RerankRequest, rerank, cohere_error, "Cohere"),
            _posted("/v1/rerank", "the same, as Cohere's first version and Jina give them", RerankRequestV1, rerank_v1, cohere_error, "Cohere"),
        ]
    if service.embedder is not None:
        found += [
            _posted("/v2/embed", "vectors, as Cohere gives them", EmbedRequest, embed, cohere_error, "Cohere"),
            _posted("/v1/embed", "the same, first version", EmbedRequest, embed_v1, cohere_error, "Cohere"),
        ]
    return found


def _tei(service: Service, about: About) -> list[Endpoint]:
    async def embed(request: TeiEmbedRequest) -> Any:
        return (await service.embed(request.task())).vectors

    async def rerank(request: TeiRerankRequest) -> Any:
        return tei_rerank_answer(request, await service.rerank(request.task()))

    found = []
    if service.embedder is not None:
        found += [
            _posted(path, "vectors, as text-embeddings-inference gives them", TeiEmbedRequest, embed, tei_error, "text-embeddings-inference")
            for path in ("/embed", "/")
        ]
    if service.reranker is not None:
        summary = "texts in order, as text-embeddings-inference gives them"
        found.append(_posted("/rerank", summary, TeiRerankRequest, rerank, tei_error, "text-embeddings-inference"))
    return found


def _search_answer(request: SearchRequest, found: Searched, about: About) -> dict[str, Any]:
    results = []
    for hits in found.hits:
        listed = []
        for rank, hit in enumerate(hits, 1):
            one: dict[str, Any] = {"rank": rank, "doc_id": hit.doc_id}
            if request.return_scores:
                one |= {"retrieval_score": hit.retrieval_score, "rerank_score": hit.rerank_score}
            if request.return_documents:
                one |= {name: hit.document.get(name) for name in ("text", "title", "fields")}
            listed.append(one)
        results.append(listed)
    versions = {"collection": about.collection, "state": found.state}
    versions |= {
        "embedder": (about.embedder or {}).get("fingerprint"),
        "reranker": (about.reranker or {}).get("fingerprint") if request.rerank else None,
    }
    timings = {f"{phase}_ms": round(1000 * seconds, 2) for phase, seconds in found.seconds.items()}
    answer = {"versions": versions, "timings": timings}
    return {"results": results[0], **answer} if request.query is not None else {"results": results, **answer}


def _info(service: Service, about: About) -> dict[str, Any]:
    """Ours, and the names that clients of text-embeddings-inference look for."""
    limits = service.limits
    embedder = about.embedder or {}
    theirs: dict[str, Any] = {
        "model_id": embedder.get("name") or (about.reranker or {}).get("name"),
        "model_sha": embedder.get("revision"),
        "model_dtype": embedder.get("precision"),
        "model_type": {"embedding": {"pooling": embedder.get("pooling")}} if embedder else {"reranker": {}},
        "max_concurrent_requests": limits.max_requests,
        "max_input_length": embedder.get("max_length") or (about.reranker or {}).get("max_length"),
        "max_batch_tokens": embedder.get("token_budget"),
        "max_client_batch_size": limits.max_items,
        "auto_truncate": False,
        "version": about.version,
    }
    load = {"requests": service.admission.requests, "tokens": service.admission.tokens, "tokens_per_second": round(service.admission.speed(), 1)}
    collection = {"name": about.collection, "state": about.state()}
    return {**theirs, "embedder": about.embedder, "reranker": about.reranker, "collection": collection, "limits": limits_table(limits), "load": load}


def limits_table(limits: Limits) -> dict[str, Any]:
    """Every limit by name."""
    return limits.model_dump(mode="json")
