"""OpenAI's `/v1/embeddings`. Beyond theirs: `input_type`, `query` or `document` (the default), for models with two prompts."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.shapes.model import TheirRequest, given_texts
from ray_pipeline.serving.tasks import Embedded, EmbedTask

Id = Annotated[int, Field(ge=0)]


class EmbeddingsRequest(TheirRequest):
    input: str | list[str] | list[Id] | list[list[Id]] = Field(
        description="a text, texts, or token ids of this model's own tokenizer", examples=[["Adds the tops", "Adds the bottoms"]]
    )
    model: str | None = Field(None, description="what the answer will call the model; there is one here")
    encoding_format: Literal["float", "base64"] = Field("float", description="base64: little-endian float32")
    dimensions: int | None = Field(None, ge=1, description="keep the first so many, scaled to length 1 again (Matryoshka)")
    input_type: Literal["query", "document"] = Field("document", description="ours: which of the model's prompts")

    def task(self) -> EmbedTask:
        return EmbedTask(_inputs(self.input), self.input_type, self.dimensions)


def embeddings_answer(request: EmbeddingsRequest, found: Embedded, model: str) -> dict[str, Any]:
    rows = [
        {"object": "embedding", "index": row, "embedding": as_base64(vector) if request.encoding_format == "base64" else vector}
        for row, vector in enumerate(found.vectors)
    ]
    usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
    return {"object": "list", "data": rows, "model": request.model or model, "usage": usage}


def as_base64(vector: np.ndarray[Any, np.dtype[np.float32]]) -> str:
    return base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes()).decode()


def _inputs(given: str | list[str] | list[int] | list[list[int]]) -> Any:
    if isinstance(given, str):
        return given_texts([given], "input")
    if given and isinstance(given[0], int):
        return [given]
    if given and isinstance(given[0], list):
        empty = next((row for row, ids in enumerate(given) if not ids), None)
        if empty is not None:
            raise RequestError("empty_input", f"input.{empty}: no token ids", f"input.{empty}")
        return given
    return given_texts(given, "input")  # type: ignore[arg-type]  # what is left is a list of texts


def openai_error(problem: RequestError) -> dict[str, Any]:
    kind = (
        "invalid_request_error" if problem.status < 500 and problem.status != 429 else "rate_limit_error" if problem.status == 429 else "server_error"
    )
    return {"error": {"message": problem.message, "type": kind, "param": problem.where, "code": problem.code}}
