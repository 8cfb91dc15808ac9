"""text-embeddings-inference: `/embed`, `POST /`, `/rerank`, and its errors."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.shapes.model import TheirRequest, given_texts
from ray_pipeline.serving.tasks import EmbedTask, Reranked, RerankTask

_TYPES: Final = {400: "Empty", 413: "Validation", 422: "Validation", 424: "Backend", 429: "Overloaded"}


class TeiEmbedRequest(TheirRequest):
    inputs: str | list[str] = Field(description="a text or texts", examples=["Adds the tops"])
    normalize: bool = Field(True, description="scale vectors to length 1")
    truncate: bool = Field(False, description="cut what is longer than the model reads; else it is refused")
    truncation_direction: Literal["Left", "Right", "left", "right"] = Field("Right", description="only the end can be cut")
    prompt_name: str | None = Field(None, description="query takes the query's prompt, all else the document's")
    dimensions: int | None = Field(None, ge=1, description="keep the first so many")

    def task(self) -> EmbedTask:
        if self.truncate and self.truncation_direction.lower() == "left":
            raise RequestError("invalid_request", "truncation_direction: only the end of a text can be cut here", "truncation_direction")
        texts = given_texts([self.inputs] if isinstance(self.inputs, str) else self.inputs, "inputs")
        side: Literal["query", "document"] = "query" if self.prompt_name == "query" else "document"
        return EmbedTask(texts, side, self.dimensions, self.normalize, cut=self.truncate)


class TeiRerankRequest(TheirRequest):
    query: str = Field(description="what the texts are put in order for", examples=["1/2 + 1/3 = 2/5"])
    texts: list[str] = Field(description="texts", examples=[["adds the tops", "adds the bottoms"]])
    raw_scores: bool = Field(False, description="the model's own scores instead of shares between 0 and 1")
    return_text: bool = Field(False, description="each result holds its text")
    truncate: bool = Field(False, description="cut what is longer than the model reads; else it is refused")

    def task(self) -> RerankTask:
        given_texts([self.query], "query")
        return RerankTask(self.query, given_texts(self.texts, "texts"), cut=self.truncate, raw=self.raw_scores)


def tei_rerank_answer(request: TeiRerankRequest, found: Reranked) -> list[dict[str, Any]]:
    return [
        {"index": row, "score": float(found.scores[row]), **({"text": request.texts[row]} if request.return_text else {})} for row in found.order()
    ]


def tei_error(problem: RequestError) -> dict[str, Any]:
    return {"error": problem.message, "error_type": _TYPES.get(problem.status, "Backend")}
