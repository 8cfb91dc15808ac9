"""Real clients, unchanged, over real HTTP through Ray Serve."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cohere
import httpx
import numpy as np
import openai
import pytest
import ray

from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from tests.serve.conftest import READER, WRITER, Served

TEXTS = ["adds the tops", "the number is negative"]


def test_openai(served: Served) -> None:
    client = openai.OpenAI(base_url=f"{served.address}/v1", api_key=READER, max_retries=0)
    found = client.embeddings.create(model="any", input=TEXTS)
    name = next(word.removeprefix("model.name=") for word in served.index_words if word.startswith("model.name="))
    embedder = Embedder(EmbedderSettings(name=name, max_length=40, precision="fp32"))
    oracle = embedder.encode(embedder.tokenize(TEXTS, "document"), 512, 8)
    assert np.allclose([one.embedding for one in found.data], oracle, atol=1e-5)
    assert found.usage.total_tokens == int(embedder.tokenize(TEXTS, "document").offsets[-1])
    short = client.embeddings.create(model="any", input="a", dimensions=4, encoding_format="float")
    assert len(short.data[0].embedding) == 4
    assert client.models.list().data[0].id
    with pytest.raises(openai.UnprocessableEntityError, match="dimensions=99"):
        client.embeddings.create(model="any", input="a", dimensions=99)
    with pytest.raises(openai.BadRequestError, match="text is empty"):
        client.embeddings.create(model="any", input="")
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{served.address}/v1", api_key="nobody", max_retries=0).embeddings.create(model="any", input="a")


def test_cohere(served: Served) -> None:
    client = cohere.ClientV2(api_key=READER, base_url=served.address)
    ranked = client.rerank(model="any", query="tops", documents=["a cat", "a dog", "the bird"], top_n=2)
    assert len(ranked.results) == 2
    assert ranked.results[0].relevance_score >= ranked.results[1].relevance_score
    vectors = client.embed(model="any", texts=TEXTS, input_type="search_query", embedding_types=["float"])
    assert vectors.embeddings.float_ is not None
    assert len(vectors.embeddings.float_) == 2
    first = cohere.Client(api_key=READER, base_url=served.address)
    older = first.rerank(model="any", query="tops", documents=["a cat", "a dog", "the bird"], return_documents=True)
    assert [one.index for one in older.results[:2]] == [one.index for one in ranked.results]
    assert older.results[0].document is not None
    assert np.allclose(first.embed(texts=TEXTS, input_type="search_query", model="any").embeddings, vectors.embeddings.float_, atol=1e-6)  # type: ignore[arg-type]


def test_a_search_over_the_wire(served: Served) -> None:
    with served.client() as client:
        found = client.post("/search", json={"query": "adds the tops", "top_k": 5, "mode": "hybrid", "rerank": True})
        assert found.status_code == 200
        assert len(found.json()["results"]) == 5
        assert set(found.json()["timings"]) == {"embed_ms", "search_ms", "rerank_ms"}
        wrong = client.post("/search", json={"query": "a", "filter": {"nowhere": 1}})
        assert (wrong.status_code, wrong.json()["error"]["message"]) == (422, "filter: no document has a field 'nowhere'; there are none")
        info = client.get("/info").json()
        assert info["embedder"]["dim"] == 32
        assert info["limits"]["max_items"] == 2048
    assert httpx.get(f"{served.address}/health").json() == {"status": "ok"}
    assert httpx.get(f"{served.address}/info").status_code == 401


def test_a_request_is_one_line_of_json_in_rays_log_folder(served: Served) -> None:
    with served.client() as client:
        client.post("/embed", json={"inputs": "tops"}, headers={"X-Request-Id": "this-one"})
    folder, deadline = Path(ray.get_runtime_context().worker.node.get_logs_dir_path()), time.monotonic() + 20
    while not (lines := [line for file in folder.glob("worker-*.err") for line in file.read_text().splitlines() if "this-one" in line]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (found,) = map(json.loads, lines)
    assert (found["path"], found["status"], found["request_id"]) == ("/embed", 200, "this-one")


def test_documents_come_and_go(served: Served) -> None:
    given = {"doc_id": "zebra", "text": "a zebra adds stripes", "fields": {"legs": 4}}
    asked = {"query": "zebra", "mode": "lexical", "top_k": 3}

    def eventually(count: int) -> list[str]:
        deadline = time.monotonic() + 30
        while True:
            found = [one["doc_id"] for one in reader.post("/search", json=asked).json()["results"]]
            if len(found) == count or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    with served.client() as reader, served.client(WRITER) as writer:
        assert reader.post("/documents", json={"documents": [given]}).status_code == 403
        answer = writer.post("/documents", json={"documents": [given]})
        assert answer.status_code == 200
        assert served.collection.last_change() == answer.json()["change"]
        assert eventually(1) == ["zebra"]
        assert [one["doc_id"] for one in reader.post("/search", json={"query": "x", "filter": {"legs": {"gte": 4}}}).json()["results"]] == ["zebra"]
        assert writer.post("/documents", json={"delete": ["zebra"]}).status_code == 200
        assert eventually(0) == []
