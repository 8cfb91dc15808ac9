"""The endpoints as an OpenAPI 3.1 document, with examples: made from the table that serves them, so it cannot say anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ray_pipeline.serving.http.endpoint import Endpoint
from ray_pipeline.serving.request_error import STATUS

_MEANINGS: Final = {
    400: "the body is empty or no JSON",
    401: "no key, or an unknown one",
    403: "the key gives no right to this, or the call comes from another site",
    404: "there is no such thing here",
    413: "too large",
    422: "not understood, or beyond a limit",
    424: "the model failed on this input",
    429: "too much is waiting; come back after Retry-After seconds",
    500: "an error of ours, in the log under the request's id",
    503: "not ready",
    504: "not done in time",
}


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """What a generator of clients, or of hostile requests, reads."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ray_pipeline", "version": version, "description": "Retrieve, rerank, embed."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
    }


def _operation(one: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "what was asked for"}
    if one.path == "/metrics":
        answer["content"] = {"text/plain": {"schema": {"type": "string"}}}
    else:
        answer["content"] = {"application/json": {"schema": {}, **({} if one.result is None else {"example": one.result})}}
    expected = _statuses(one)
    wrong = {str(status): {"description": _MEANINGS[status], "content": {"application/json": {"schema": {"type": "object"}}}} for status in expected}
    found: dict[str, Any] = {
        "summary": one.summary,
        "operationId": f"{one.method.lower()}{one.path.replace('/', '_') if one.path != '/' else '_root'}",
        "tags": [one.tag],
        "responses": {"200": answer, **wrong},
    }
    if one.right is None:
        found["security"] = []
    if one.shape is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _schema(one, schemas), "example": _example(one)}}}
    return found


def _statuses(one: Endpoint) -> list[int]:
    if one.right is None:
        return []
    every = sorted({*STATUS.values(), 500})
    return every if one.method == "POST" else [status for status in every if status not in (400, 413, 422, 424)]


def _schema(one: Endpoint, schemas: dict[str, Any]) -> dict[str, str]:
    assert one.shape is not None
    schema = one.shape.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[one.shape.__name__] = schema
    return {"$ref": f"#/components/schemas/{one.shape.__name__}"}


def _example(one: Endpoint) -> dict[str, Any]:
    """The examples of its fields, together."""
    assert one.shape is not None
    return {name: field.examples[0] for name, field in one.shape.model_fields.items() if field.examples and (field.is_required() or name == "query")}
