"""Streams of documents: taken as they come, kept by batches, and a wrong line told from the right ones before it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ray_pipeline.serving.http.application import Application
from ray_pipeline.serving.http.endpoints import endpoints
from ray_pipeline.serving.http.telemetry import Telemetry
from ray_pipeline.serving.keys import Keys
from ray_pipeline.serving.limits import Limits
from tests.serving.http.test_application import ABOUT, READER, WRITER, Parts, Written, calling
from tests.serving.local import service

LINES = {"Content-Type": "application/x-ndjson"}


def sent(parts: Parts, content: Any, limits: Limits | None = None) -> tuple[httpx.Response, Written]:
    async def scenario() -> tuple[httpx.Response, Written]:
        found, writer = service(parts, None, limits), Written()
        telemetry = Telemetry(found)
        app = Application(found, Keys([READER], [WRITER]), endpoints(found, telemetry, ABOUT, writer), telemetry)
        async with calling(app, WRITER) as client:
            return await client.post("/documents", content=content, headers=LINES), writer

    return asyncio.run(asyncio.wait_for(scenario(), 60))


def line(**values: Any) -> bytes:
    return json.dumps(values).encode() + b"\n"


def test_a_stream_longer_than_any_body(parts: Parts) -> None:
    async def coming() -> AsyncIterator[bytes]:
        for number in range(600):
            whole = line(doc_id=f"d{number}", text="x" * 50)
            yield whole[:10]  # cut anywhere
            yield whole[10:]
            if number % 100 == 0:
                yield b"\n  \n"

    answer, writer = sent(parts, coming(), Limits(max_body_mb=0.001))
    assert answer.json() == {"documents": 600, "deleted": 0, "changes": [1, 3], "state": "1.3"}
    assert [len(one.documents) for one in writer.given] == [256, 256, 88]
    assert [one.doc_id for request in writer.given for one in request.documents] == [f"d{number}" for number in range(600)]


def test_of_one_document_the_last_line_counts(parts: Parts) -> None:
    body = line(doc_id="a", text="1") + line(delete="b") + line(doc_id="a", text="2") + line(doc_id="b", text="3") + line(delete="c")
    answer, writer = sent(parts, body.rstrip())
    assert answer.status_code == 200
    (request,) = writer.given
    assert {one.doc_id: one.text for one in request.documents} == {"a": "2", "b": "3"}
    assert request.delete == ["c"]


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        (b"{\n", 400, "line 301: the body is not JSON"),
        (b'{"doc_id": "a"}\n', 422, "line 301: text: Field required"),
        (b'{"doc_id": "a", "text": "b", "fields": {"x": []}}\n', 422, "line 301: documents.0: field 'x' is list"),
        (b"[]\n", 422, "line 301: a JSON object is needed"),
        (b'{"delete": 5}\n', 422, "line 301: delete"),
        (b"x" * 2000 + b"\n", 413, "the body is larger"),
    ],
)
def test_a_wrong_line_is_named_and_what_was_kept_before_it(parts: Parts, wrong: bytes, code: int, said: str) -> None:
    body = b"".join(line(doc_id=f"d{number}", text="x") for number in range(300)) + wrong + line(doc_id="z", text="x")
    answer, writer = sent(parts, body, Limits(max_body_mb=0.001))
    assert answer.status_code == code
    message = answer.json()["error"]["message"]
    assert said in message
    assert "what stands before line 257 is kept (256 documents, 0 deleted)" in message
    assert len(writer.given) == 1


def test_an_empty_stream_is_an_error(parts: Parts) -> None:
    answer, _ = sent(parts, b"\n\n")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "empty_input")
