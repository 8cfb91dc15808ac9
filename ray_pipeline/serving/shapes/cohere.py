"""Cohere's rerank and embed, both versions; `/v1/rerank` is Jina's too, whose answer holds what Cohere's does.

Clients send names that mean nothing here (`max_tokens_per_doc`, `rank_fields`, `priority`) and nulls for what was not set.
"""

from __future__ import annotations

import uuid
from typing import Any, Literal

from pydantic import Field

from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.shapes.model import TheirRequest, given_texts
from ray_pipeline.serving.shapes.openai import as_base64
from ray_pipeline.serving.tasks import Embedded, EmbedTask, Reranked, RerankTask

_EXAMPLE = ["adds the tops and adds the bottoms", "turns the second fraction upside down"]


class RerankRequest(TheirRequest):
    """Version 2."""

    query: str = Field(description="what the documents are put in order for", examples=["1/2 + 1/3 = 2/5"])
    documents: list[str] = Field(description="texts", examples=[_EXAMPLE])
    model: str | None = Field(None, description="ignored: there is one reranker here")
    top_n: int | None = Field(None, ge=1, description="how many of the best come back; all where it is left out")

    def task(self) -> RerankTask:
        given_texts([self.query], "query")
        return RerankTask(self.query, self.texts())

    def texts(self) -> list[str]:
        return list(given_texts(self.documents, "documents"))


class RerankRequestV1(RerankRequest):
    """Version 1, and Jina's."""

    documents: list[str | dict[str, Any]] = Field(description="texts, or objects with a `text`", examples=[_EXAMPLE])  # type: ignore[assignment]
    return_documents: bool = Field(True, description="each result holds its document")

    def texts(self) -> list[str]:
        found = []
        for row, given in enumerate(self.documents):
            text = given if isinstance(given, str) else given.get("text")
            if not isinstance(text, str):
                raise RequestError("invalid_request", f"documents.{row}: an object needs a `text`", f"documents.{row}")
            found.append(text)
        return list(given_texts(found, "documents"))


class EmbedRequest(TheirRequest):
    """Both versions."""

    texts: list[str] = Field(description="what is embedded", examples=[_EXAMPLE])
    model: str | None = Field(None, description="ignored: there is one embedder here")
    input_type: str = Field("search_document", description="search_query takes the query's prompt, all else the document's")
    embedding_types: list[Literal["float", "base64"]] | None = Field(None, description="how vectors are written")
    output_dimension: int | None = Field(None, ge=1, description="keep the first so many, scaled to length 1 again")
    truncate: Literal["NONE", "START", "END"] = Field("END", description="NONE refuses what is too long; only the end can be cut")

    def task(self) -> EmbedTask:
        if self.truncate == "START":
            raise RequestError("invalid_request", "truncate: only the end of a text can be cut here; send END or NONE", "truncate")
        side: Literal["query", "document"] = "query" if self.input_type == "search_query" else "document"
        return EmbedTask(given_texts(self.texts, "texts"), side, self.output_dimension, cut=self.truncate == "END")


def rerank_answer(request: RerankRequest, found: Reranked, version: Literal["1", "2"], model: str) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    texts = request.texts()
    for row in found.order()[: request.top_n]:
        one: dict[str, Any] = {"index": row, "relevance_score": float(found.scores[row])}
        if isinstance(request, RerankRequestV1) and request.return_documents:
            one["document"] = {"text": texts[row]}
        results.append(one)
    answer = {"id": str(uuid.uuid4()), "results": results, "meta": {"api_version": {"version": version}, "billed_units": {"search_units": 1}}}
    return answer if version == "2" else {**answer, "model": model, "usage": {"total_tokens": found.tokens}}


def embed_answer(request: EmbedRequest, found: Embedded, version: Literal["1", "2"]) -> dict[str, Any]:
    floats = found.vectors
    meta = {"api_version": {"version": version}, "billed_units": {"input_tokens": found.tokens}}
    answer = {"id": str(uuid.uuid4()), "texts": request.texts, "meta": meta}
    if version == "1" and request.embedding_types is None:
        return {**answer, "embeddings": floats, "response_type": "embeddings_floats"}
    kinds = request.embedding_types or ["float"]
    written = {kind: floats if kind == "float" else [as_base64(vector) for vector in found.vectors] for kind in kinds}
    return {**answer, "embeddings": written, "response_type": "embeddings_by_type"}


def cohere_error(problem: RequestError) -> dict[str, Any]:
    return {"message": problem.message}
