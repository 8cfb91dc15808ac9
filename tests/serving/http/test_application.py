"""The whole HTTP surface over tiny models in this process: real requests through the ASGI application."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import pytest

from ray_pipeline.errors import ArtifactError
from ray_pipeline.serving.engines import EmbedEngine, RerankEngine
from ray_pipeline.serving.http import application as application_module
from ray_pipeline.serving.http.application import Application
from ray_pipeline.serving.http.endpoints import About, endpoints
from ray_pipeline.serving.http.telemetry import Telemetry, requests
from ray_pipeline.serving.keys import Keys
from ray_pipeline.serving.limits import Limits
from tests.serving.local import service
from tests.serving.test_json_body import HOSTILE

READER, WRITER = "reader-" * 4, "writer-" * 4
SITES = ("cross-site", "same-site", "same-origin", "none")
ABOUT = About("1.2.3", {"name": "tiny", "fingerprint": "e"}, {"name": "tiny-reranker", "fingerprint": "r"}, "demo")
Parts = tuple[EmbedEngine, RerankEngine]


class Written:
    """Takes changes and keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    async def change(self, request: Any) -> dict[str, Any]:
        self.given.append(request)
        request.checked()
        return {"documents": len(request.documents), "deleted": len(request.delete), "change": len(self.given), "state": f"1.{len(self.given)}"}


def application(parts: Parts, collection: Any = None, limits: Limits | None = None, keys: Keys | None = None) -> Application:
    found = service(parts, collection, limits)
    telemetry = Telemetry(found)
    return Application(found, keys or Keys([READER], [WRITER]), endpoints(found, telemetry, ABOUT, Written()), telemetry)


@asynccontextmanager
async def calling(app: Application, key: str | None = READER) -> AsyncIterator[httpx.AsyncClient]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers) as client:
        yield client


def run(scenario: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario(), 60))  # type: ignore[arg-type]


def test_every_shape_is_answered(parts: Parts, collection: Any) -> None:
    async def scenario() -> dict[str, Any]:
        async with calling(application(parts, collection)) as client:
            bodies = {
                "/search": {"query": "adds the tops", "top_k": 3, "rerank": True, "mode": "hybrid"},
                "/v1/embeddings": {"input": ["a", "the number"], "encoding_format": "base64"},
                "/embed": {"inputs": "the number"},
                "/": {"inputs": ["the number"]},
                "/rerank": {"query": "tops", "texts": ["a cat", "a dog"], "return_text": True},
                "/v1/rerank": {"query": "tops", "documents": ["a cat", {"text": "a dog"}]},
                "/v2/rerank": {"query": "tops", "documents": ["a cat", "a dog"], "top_n": 1},
                "/v1/embed": {"texts": ["the number"]},
                "/v2/embed": {"texts": ["the number"], "embedding_types": ["float"]},
            }
            found = {path: await client.post(path, json=body) for path, body in bodies.items()}
            gets = ("/info", "/health", "/metrics", "/docs", "/openapi.json", "/page/search.js", "/page/page.css", "/v1/models")
            found |= {f"GET {path}": await client.get(path) for path in gets}
            found["GET /"] = await client.get("/")
            return found

    found = run(scenario)
    assert {path: answer.status_code for path, answer in found.items()} == dict.fromkeys(found, 200)
    searched = found["/search"].json()
    assert [one["rank"] for one in searched["results"]] == [1, 2, 3]
    assert searched["versions"] == {"collection": "demo", "state": "1.0", "embedder": "e", "reranker": "r"}
    assert set(searched["timings"]) == {"embed_ms", "search_ms", "rerank_ms"}
    assert {"doc_id", "text", "title", "fields", "retrieval_score", "rerank_score"} <= set(searched["results"][0])
    coded = base64.b64decode(found["/v1/embeddings"].json()["data"][1]["embedding"])
    vector = np.array(found["/embed"].json()[0], dtype=np.float32)
    assert np.allclose(np.frombuffer(coded, "<f4"), vector, atol=1e-5)
    for path, name in (("/", None), ("/v1/embed", "embeddings")):
        answer = found[path].json()
        assert np.allclose(answer[name][0] if name else answer[0], vector, atol=1e-5)
    assert np.allclose(found["/v2/embed"].json()["embeddings"]["float"][0], vector, atol=1e-5)
    scores = [one["relevance_score"] for one in found["/v1/rerank"].json()["results"]]
    assert scores == pytest.approx([one["score"] for one in found["/rerank"].json()], abs=1e-6)
    assert len(found["/v2/rerank"].json()["results"]) == 1
    assert found["GET /info"].json()["limits"]["max_items"] == 2048
    assert found["GET /health"].json() == {"status": "ok"}
    assert 'ray_pipeline_requests_total{method="POST",path="/search",status="200"} 1.0' in found["GET /metrics"].text
    for page in ("GET /", "GET /docs"):
        assert "default-src 'self'" in found[page].headers["content-security-policy"]
        assert "http" not in found[page].text.replace("http-equiv", "")  # nothing from elsewhere


def test_the_same_answer_alone_and_among_many(parts: Parts, collection: Any) -> None:
    async def scenario() -> Any:
        async with calling(application(parts, collection)) as client:
            alone = await client.post("/search", json={"query": "adds the tops", "top_k": 4, "rerank": True})
            many = await asyncio.gather(*(client.post("/search", json={"query": "adds the tops", "top_k": 4, "rerank": True}) for _ in range(16)))
            return alone.json()["results"], [one.json()["results"] for one in many]

    alone, many = run(scenario)
    assert all([hit["doc_id"] for hit in one] == [hit["doc_id"] for hit in alone] for one in many)


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/health", None, 200),
        ("GET", "/info", None, 401),
        ("GET", "/", None, 401),
        ("GET", "/docs", None, 401),
        ("GET", "/metrics", None, 401),
        ("GET", "/nowhere", None, 401),
        ("POST", "/embed", None, 401),
        ("POST", "/embed", "x" * 28, 401),
        ("GET", "/nowhere", READER, 404),
        ("GET", "/embed", READER, 404),
        ("PUT", "/embed", READER, 404),
        ("POST", "/documents", READER, 403),
        ("POST", "/documents", WRITER, 200),
        ("GET", "/info", WRITER, 200),
    ],
)
def test_who_may_do_what(parts: Parts, collection: Any, method: str, path: str, key: str | None, status: int) -> None:
    async def scenario() -> httpx.Response:
        async with calling(application(parts, collection), key) as client:
            body = {"documents": [{"doc_id": "a", "text": "b"}]} if path == "/documents" else {"inputs": "a"}
            return await client.request(method, path, json=body if method == "POST" else None)

    answer = run(scenario)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


def test_other_sites_are_kept_out(parts: Parts) -> None:
    async def scenario() -> list[int]:
        body = {"inputs": "a"}
        async with calling(application(parts)) as client:
            sites = [await client.post("/embed", json=body, headers={"Sec-Fetch-Site": site}) for site in SITES]
            asked = await client.options("/embed", headers={"Origin": "http://evil", "Access-Control-Request-Method": "POST"})
            answer = await client.post("/embed", json=body, headers={"Origin": "http://evil"})
            assert not [name for name in answer.headers if name.startswith("access-control")]
        async with calling(application(parts, keys=Keys([], [], open_to_all=True)), None) as client:
            names = ("127.0.0.1:8000", "localhost", "evil.example:8000", "evil.example")
            hosts = [await client.post("/embed", json=body, headers={"Host": host}) for host in names]
        return [one.status_code for one in (*sites, asked, *hosts)]

    assert run(scenario) == [403, 403, 200, 200, 404, 200, 200, 403, 403]


@pytest.mark.parametrize("path", ["/search", "/v1/embeddings", "/v2/rerank", "/embed"])
def test_hostile_bodies_get_what_is_documented(parts: Parts, collection: Any, path: str) -> None:
    async def scenario() -> list[tuple[int, Any]]:
        async with calling(application(parts, collection)) as client:
            return [((answer := await client.post(path, content=body)).status_code, answer.json()) for body, _, _ in HOSTILE]

    for (status, said), (_, code, _) in zip(run(scenario), HOSTILE, strict=True):
        assert status == (422 if code == "invalid_request" else 400)
        written = {
            "/search": said.get("error"),
            "/v1/embeddings": said.get("error"),
            "/v2/rerank": said.get("message"),
            "/embed": said.get("error_type"),
        }
        assert written[path]


def test_limits_hold_before_anything_is_computed(parts: Parts) -> None:
    limits = Limits(max_body_mb=0.01, max_items=4, max_characters=50, max_tokens=60, timeout_s=5)

    async def scenario() -> list[int]:
        async with calling(application(parts, limits=limits)) as client:
            too_long = b'{"inputs": "' + b"a" * 20_000 + b'"}'

            async def dripping() -> AsyncIterator[bytes]:
                yield b'{"inputs": "'
                for _ in range(30):
                    yield b"a" * 1000
                yield b'"}'

            return [
                (await client.post("/embed", content=too_long)).status_code,
                (await client.post("/embed", content=dripping())).status_code,
                (await client.post("/embed", json={"inputs": ["a"] * 5})).status_code,
                (await client.post("/embed", json={"inputs": ["a" * 51]})).status_code,
                (await client.post("/v1/embeddings", json={"input": ["a b c d e f g h i j k l m n o p q r s t"] * 4})).status_code,
                (await client.post("/embed", json={"inputs": []})).status_code,
                (await client.post("/embed", json={"inputs": "a"})).status_code,
            ]

    assert run(scenario) == [413, 413, 422, 422, 422, 400, 200]


def test_work_of_a_client_that_hangs_up_is_dropped_and_slow_work_is_given_up(parts: Parts) -> None:
    class Slow:
        cancelled = 0

        async def embed(self, items: Any) -> Any:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise

    async def scenario() -> Any:
        app, slow = application(parts, limits=Limits(timeout_s=0.2)), Slow()
        assert app.service.embedder is not None
        object.__setattr__(app.service.embedder, "backend", slow)
        async with calling(app) as client:
            started = time.perf_counter()
            late = await client.post(
                "/embed", json={"inputs": "a"}, headers={"X-Request-Timeout-Seconds": "-1", "X-Request-Disconnect-Disabled": "1"}
            )
            took = time.perf_counter() - started
        messages = iter([{"type": "http.request", "body": b'{"inputs": "a"}'}, {"type": "http.disconnect"}])
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.sleep(0.01)
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/embed", "headers": [(b"authorization", f"Bearer {READER}".encode())]}
        await app(scope, receive, send)
        return late, took, slow.cancelled, sent, app.service.admission

    late, took, cancelled, sent, admission = run(scenario)
    assert late.status_code == 504
    assert took < 5
    assert cancelled == 2
    assert sent == []
    assert (admission.requests, admission.tokens) == (0, 0)


def test_too_much_at_once_is_sent_away(parts: Parts) -> None:
    async def scenario() -> list[httpx.Response]:
        async with calling(application(parts, limits=Limits(max_requests=3))) as client:
            return list(await asyncio.gather(*(client.post("/embed", json={"inputs": "the number"}) for _ in range(40))))

    answers = run(scenario)
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)


def test_an_error_of_ours_tells_nothing_but_its_id(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(application_module.logger, "exception", lambda *_: told.append(str(sys.exc_info()[1])))

    class Broken:
        async def embed(self, items: Any) -> Any:
            raise ZeroDivisionError("secret detail")

    async def scenario() -> httpx.Response:
        app = application(parts)
        assert app.service.embedder is not None
        object.__setattr__(app.service.embedder, "backend", Broken())
        async with calling(app) as client:
            return await client.post("/embed", json={"inputs": "a"}, headers={"X-Request-Id": "mine-7"})

    answer = run(scenario)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "mine-7" in answer.text
    assert answer.headers["x-request-id"] == "mine-7"
    assert told == ["secret detail"]


def test_a_disk_that_is_full_is_no_fault_of_the_request_and_tells_no_path(parts: Parts, collection: Any) -> None:
    class Full(Written):
        async def change(self, request: Any) -> dict[str, Any]:
            raise ArtifactError("/var/secret/place: cannot be written: No space left on device")

    async def scenario() -> httpx.Response:
        found = service(parts, collection)
        telemetry = Telemetry(found)
        app = Application(found, Keys([READER], [WRITER]), endpoints(found, telemetry, ABOUT, Full()), telemetry)
        async with calling(app, WRITER) as client:
            return await client.post("/documents", json={"documents": [{"doc_id": "a", "text": "b"}]})

    answer = run(scenario)
    assert answer.status_code == 503
    assert "secret" not in answer.text


def test_a_filter_nobody_understands_is_named(parts: Parts, collection: Any) -> None:
    async def scenario() -> httpx.Response:
        async with calling(application(parts, collection)) as client:
            return await client.post("/search", json={"query": "a", "filter": {"a": {"near": 1}}})

    answer = run(scenario)
    assert (answer.status_code, answer.json()["error"]["where"]) == (422, "filter")
    assert "'near' is no comparison" in answer.json()["error"]["message"]


def test_request_ids_are_ours_where_a_clients_is_odd(parts: Parts) -> None:
    async def scenario() -> list[str]:
        async with calling(application(parts)) as client:
            given = ["a b", "x" * 65, "fine_1.2-3"]
            return [(await client.get("/health", headers={"X-Request-Id": one})).headers["x-request-id"] for one in given]

    spaced, long, fine = run(scenario)
    assert fine == "fine_1.2-3"
    assert all(len(one) == 32 for one in (spaced, long))


def test_the_log_has_a_line_a_request_with_the_callers_trace(parts: Parts) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = [f"00-{trace}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01", "nothing of the kind"]
    lines: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = lines.append  # type: ignore[method-assign]

    async def scenario() -> None:
        async with calling(application(parts)) as client:
            for one in given:
                await client.get("/health", headers={"traceparent": one})

    requests.addHandler(handler)
    before = requests.level, requests.disabled
    requests.setLevel(logging.INFO)
    requests.disabled = False  # a test before this one may have configured logging
    try:
        run(scenario)
    finally:
        requests.removeHandler(handler)
        requests.level, requests.disabled = before
    found = [json.loads(line.getMessage()) for line in lines]
    assert [one.get("trace_id") for one in found] == [trace, None, None]
    assert {(one["method"], one["path"], one["status"]) for one in found} == {("GET", "/health", 200)}
    assert len({one["request_id"] for one in found}) == 3


def test_the_openapi_document_names_every_endpoint_with_an_example_that_works(parts: Parts, collection: Any) -> None:
    async def scenario() -> tuple[dict[str, Any], dict[str, int]]:
        async with calling(application(parts, collection), WRITER) as client:
            found = (await client.get("/openapi.json")).json()
            statuses = {}
            for path, methods in found["paths"].items():
                for method, one in methods.items():
                    body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
                    body = {**body, "documents": [{"doc_id": "a", "text": "b"}]} if path == "/documents" else body
                    statuses[f"{method} {path}"] = (await client.request(method, path, json=body)).status_code
            return found, statuses

    found, statuses = run(scenario)
    assert set(statuses.values()) == {200}, statuses
    assert json.loads(json.dumps(found))["openapi"] == "3.1.0"
    names = [one["operationId"] for methods in found["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names))
