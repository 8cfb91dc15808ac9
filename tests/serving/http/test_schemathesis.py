"""Requests made from the OpenAPI document, right ones and wrong ones, over real HTTP: none ends in an error of ours, and every status
is one that the document names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode

from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.serving.limits import Limits
from tests.serving.http.server import listening
from tests.serving.http.test_application import WRITER, Parts, application

KEY = {"Authorization": f"Bearer {WRITER}"}


@pytest.fixture(scope="module")
def address(parts: Parts, collection: Collection) -> Iterator[str]:
    """The application behind a real server."""
    with listening(application(parts, collection, Limits(max_body_mb=1))) as found:
        yield found


def operations(address: str) -> list[Any]:
    return [found.ok() for found in schemathesis.openapi.from_url(f"{address}/openapi.json", headers=KEY).get_all_operations()]


def asked(operation: Any, mode: GenerationMode) -> set[int]:
    """The statuses that requests of one operation got."""
    known = {int(status) for status in operation.definition.raw["responses"]}
    seen: set[int] = set()

    @settings(max_examples=40, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        response = case.call(headers=KEY)
        assert response.status_code < 500, (case.body, response.text)
        assert response.status_code in known, (case.body, response.status_code, response.text)
        seen.add(response.status_code)

    ask()
    return seen


def test_no_request_ends_in_an_error_of_ours(address: str) -> None:
    right = {operation.label: asked(operation, GenerationMode.POSITIVE) for operation in operations(address)}
    assert len(right) >= 12
    assert right["GET /health"] == {200}
    posts = [operation for operation in operations(address) if operation.label.startswith("POST")]
    wrong = {operation.label: asked(operation, GenerationMode.NEGATIVE) for operation in posts}
    for path in ("/search", "/v1/embeddings", "/v2/rerank", "/embed"):
        assert 200 in right[f"POST {path}"], right
        assert 422 in wrong[f"POST {path}"], wrong
