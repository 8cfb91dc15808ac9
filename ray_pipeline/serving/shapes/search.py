"""Our own `/search` and `/documents`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from ray_pipeline.data.fields import check_fields
from ray_pipeline.errors import DataError
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.shapes.model import OurRequest, given_texts
from ray_pipeline.serving.tasks import Mode, SearchTask

_MOST: int = 1000


class SearchRequest(OurRequest):
    query: str | None = Field(None, description="a question", examples=["1/2 + 1/3 = 2/5"])
    queries: list[str] | None = Field(None, description="several questions at once, instead of query")
    top_k: int = Field(10, ge=1, le=_MOST, description="how many documents come back for each")
    mode: Mode = Field("dense", description="dense: by vectors; lexical: by words (BM25); hybrid: both, by reciprocal rank fusion")
    rerank: bool = Field(False, description="the best rerank_top_n are put in order by the reranker")
    rerank_top_n: int = Field(25, ge=1, le=_MOST, description="how many documents the reranker reads for each query")
    filter: dict[str, Any] | None = Field(None, description="on fields of documents", examples=[{"subject": "fractions"}])
    return_documents: bool = Field(True, description="results hold text, title and fields")
    return_scores: bool = Field(True, description="results hold the scores of retrieval and reranker")

    def task(self) -> SearchTask:
        if (self.query is None) == (self.queries is None):
            raise RequestError("invalid_request", "give either query or queries", "query")
        given = given_texts([self.query], "query") if self.query is not None else given_texts(self.queries or [], "queries")
        return SearchTask(given, self.top_k, self.mode, self.rerank, self.rerank_top_n, self.filter)


class GivenDocument(OurRequest):
    doc_id: str = Field(min_length=1, max_length=512, description="replaces a document of the same id", examples=["m-17"])
    text: str = Field(description="what is embedded and found", examples=["adds the tops and adds the bottoms"])
    title: str | None = Field(None, description="read before the text")
    fields: dict[str, Any] = Field(default_factory=dict, description="texts, numbers and truth values to filter by", examples=[{"year": 2024}])


class ChangeRequest(OurRequest):
    documents: list[GivenDocument] = Field(default_factory=list, description="added, or put in the place of those of the same id")
    delete: list[str] = Field(default_factory=list, description="ids of documents that are to be found no longer")

    def checked(self) -> tuple[Sequence[GivenDocument], Sequence[Mapping[str, Any]]]:
        """The documents and their fields; refuses what contradicts itself."""
        if not self.documents and not self.delete:
            raise RequestError("empty_input", "neither documents nor ids to delete were given")
        ids = [one.doc_id for one in self.documents]
        both = sorted(set(ids) & set(self.delete))
        if both:
            raise RequestError("invalid_request", f"{both[0]!r} is to be added and deleted; send two requests", "delete")
        try:
            fields = [check_fields(one.fields, f"documents.{row}") for row, one in enumerate(self.documents)]
        except DataError as problem:
            raise RequestError("invalid_request", str(problem), "documents") from problem
        return self.documents, fields


def our_error(problem: RequestError) -> dict[str, Any]:
    return {"error": {"code": problem.code, "message": problem.message, "where": problem.where}}
