"""Requests as real clients send them are understood, answers hold what those clients read, and faults are named."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ray_pipeline.serving.http.endpoint import json_answer
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.shapes.cohere import EmbedRequest, RerankRequest, RerankRequestV1, cohere_error, embed_answer, rerank_answer
from ray_pipeline.serving.shapes.model import read
from ray_pipeline.serving.shapes.openai import EmbeddingsRequest, embeddings_answer, openai_error
from ray_pipeline.serving.shapes.search import ChangeRequest, SearchRequest, our_error
from ray_pipeline.serving.shapes.tei import TeiEmbedRequest, TeiRerankRequest, tei_error, tei_rerank_answer
from ray_pipeline.serving.tasks import Embedded, EmbedTask, Reranked

VECTORS = Embedded(np.array([[0.6, 0.8], [1.0, -0.0]], dtype=np.float32), 9)
SCORES = Reranked(np.array([0.1, 0.9, 0.9], dtype=np.float32), 30)

# as the clients' source code writes them
BODIES: list[tuple[str, Any, dict[str, Any]]] = [
    ("openai-python", EmbeddingsRequest, {"input": ["a", "b"], "model": "m", "encoding_format": "base64"}),
    ("openai-python, one text", EmbeddingsRequest, {"input": "a", "model": "m", "encoding_format": "base64", "user": "u", "dimensions": None}),
    ("langchain-openai with its own tokens", EmbeddingsRequest, {"input": [[1, 2, 3]], "model": "m", "encoding_format": "base64"}),
    ("haystack HuggingFaceAPITextEmbedder", TeiEmbedRequest, {"inputs": "a", "truncate": True, "normalize": False, "prompt_name": None}),
    ("huggingface_hub feature_extraction", TeiEmbedRequest, {"inputs": ["a"], "normalize": None, "truncate": None, "truncation_direction": None}),
    ("llama-index TextEmbeddingsInference", TeiEmbedRequest, {"inputs": ["a"], "truncate": True}),
    ("llama-index TEI rerank", TeiRerankRequest, {"query": "q", "texts": ["a", "b", "c"], "raw_scores": True, "truncate": True}),
    ("haystack HuggingFaceTEIRanker", TeiRerankRequest, {"query": "q", "texts": ["a"], "raw_scores": False, "truncation_direction": "Right"}),
    ("cohere-python v2", RerankRequest, {"query": "q", "documents": ["a", "b"], "top_n": 2, "model": "m", "max_tokens_per_doc": None}),
    ("cohere-python v1", RerankRequestV1, {"query": "q", "documents": ["a", {"text": "b"}], "rank_fields": None, "return_documents": None}),
    ("jina", RerankRequestV1, {"query": "q", "documents": ["a"], "top_n": 1, "model": "jina-reranker-v2-base-multilingual", "truncation": True}),
    (
        "cohere-python embed v2",
        EmbedRequest,
        {"texts": ["a"], "model": "m", "input_type": "search_query", "images": None},
    ),
    (
        "langchain-cohere",
        EmbedRequest,
        {"texts": ["a"], "model": "m", "truncate": None, "embedding_types": ["float"]},
    ),
    ("ours", SearchRequest, {"query": "q", "mode": "hybrid", "rerank": True, "filter": {"year": 2001}}),
]


@pytest.mark.parametrize(("client", "shape", "body"), BODIES, ids=[name for name, _, _ in BODIES])
def test_what_clients_send_is_understood(client: str, shape: Any, body: dict[str, Any]) -> None:
    read(shape, body).task()


def test_sides_and_cuts() -> None:
    def task(shape: Any, **body: Any) -> EmbedTask:
        found = read(shape, body).task()
        assert isinstance(found, EmbedTask)
        return found

    assert task(EmbeddingsRequest, input="a").side == "document"
    assert task(EmbeddingsRequest, input="a", input_type="query").side == "query"
    assert task(EmbedRequest, texts=["a"], input_type="search_query").side == "query"
    assert task(TeiEmbedRequest, inputs="a", prompt_name="query").side == "query"
    assert not task(TeiEmbedRequest, inputs="a").cut
    assert task(EmbeddingsRequest, input="a").cut
    assert not task(EmbedRequest, texts=["a"], truncate="NONE").cut
    assert task(EmbeddingsRequest, input=[5, 6]).texts == [[5, 6]]
    assert task(EmbeddingsRequest, input=[5, 6]).of_ids
    assert not task(EmbeddingsRequest, input=["5"]).of_ids


def plain(value: Any) -> Any:
    """As a client reads it."""
    return json.loads(json_answer(value).body)


def test_openai_answers_by_hand() -> None:
    request = read(EmbeddingsRequest, {"input": ["a", "b"], "model": "called so"})
    found = plain(embeddings_answer(request, VECTORS, "ours"))
    assert found["data"][0] == {"object": "embedding", "index": 0, "embedding": [pytest.approx(0.6), pytest.approx(0.8)]}
    assert (found["object"], found["model"], found["usage"]) == ("list", "called so", {"prompt_tokens": 9, "total_tokens": 9})
    coded = embeddings_answer(read(EmbeddingsRequest, {"input": "a", "encoding_format": "base64"}), VECTORS, "ours")
    assert np.frombuffer(base64.b64decode(coded["data"][0]["embedding"]), "<f4").tolist() == VECTORS.vectors[0].tolist()
    assert coded["model"] == "ours"


def test_rerank_answers_by_hand() -> None:
    second = rerank_answer(read(RerankRequest, {"query": "q", "documents": ["a", "b", "c"], "top_n": 2}), SCORES, "2", "m")
    assert [(one["index"], one["relevance_score"]) for one in second["results"]] == [(1, pytest.approx(0.9)), (2, pytest.approx(0.9))]
    assert "document" not in second["results"][0]
    first = rerank_answer(read(RerankRequestV1, {"query": "q", "documents": ["a", {"text": "b"}, "c"]}), SCORES, "1", "m")
    assert first["results"][0]["document"] == {"text": "b"}
    assert (first["model"], first["usage"], first["meta"]["api_version"]) == ("m", {"total_tokens": 30}, {"version": "1"})
    tei = read(TeiRerankRequest, {"query": "q", "texts": ["a", "b", "c"], "return_text": True})
    assert [(one["index"], one["text"]) for one in tei_rerank_answer(tei, SCORES)] == [(1, "b"), (2, "c"), (0, "a")]


def test_cohere_embeddings_by_hand() -> None:
    floats = [[pytest.approx(0.6), pytest.approx(0.8)], [1.0, 0.0]]
    assert plain(embed_answer(read(EmbedRequest, {"texts": ["a", "b"]}), VECTORS, "1"))["embeddings"] == floats
    found = plain(embed_answer(read(EmbedRequest, {"texts": ["a", "b"], "embedding_types": ["float", "base64"]}), VECTORS, "2"))
    assert found["embeddings"]["float"] == floats
    assert found["response_type"] == "embeddings_by_type"
    assert plain(embed_answer(read(EmbedRequest, {"texts": ["a", "b"]}), VECTORS, "2"))["embeddings"] == {"float": floats}


WRONG: list[tuple[Any, Any, str, str]] = [
    (SearchRequest, [], "invalid_request", "a JSON object is needed, not a list"),
    (SearchRequest, None, "invalid_request", "not null"),
    (SearchRequest, {}, "invalid_request", "give either query or queries"),
    (SearchRequest, {"query": "a", "queries": ["b"]}, "invalid_request", "either"),
    (SearchRequest, {"query": ""}, "empty_input", "query.0: the text is empty"),
    (SearchRequest, {"queries": []}, "empty_input", "queries: nothing was given"),
    (SearchRequest, {"query": 5}, "invalid_request", "query: should be a valid string"),
    (SearchRequest, {"query": "a", "top_k": "5"}, "invalid_request", "top_k: should be a valid integer"),
    (SearchRequest, {"query": "a", "top_k": 0}, "invalid_request", "top_k: should be greater"),
    (SearchRequest, {"query": "a", "top_k": 10**30}, "invalid_request", "top_k"),
    (SearchRequest, {"query": "a", "rerank": 1}, "invalid_request", "rerank: should be a valid boolean"),
    (SearchRequest, {"query": "a", "topk": 5}, "invalid_request", "topk: there is no such setting here"),
    (SearchRequest, {"query": "a", "mode": "fast"}, "invalid_request", "mode: should be 'dense', 'lexical' or 'hybrid'"),
    (SearchRequest, {"query": "a", "filter": "x"}, "invalid_request", "filter"),
    (EmbeddingsRequest, {"model": "m"}, "invalid_request", "input: Field required"),
    (EmbeddingsRequest, {"input": None}, "invalid_request", "input: Field required"),
    (EmbeddingsRequest, {"input": []}, "empty_input", "nothing was given"),
    (EmbeddingsRequest, {"input": ["a", ""]}, "empty_input", "input.1: the text is empty"),
    (EmbeddingsRequest, {"input": [[1], []]}, "empty_input", "input.1: no token ids"),
    (EmbeddingsRequest, {"input": ["a", 5]}, "invalid_request", "input"),
    (EmbeddingsRequest, {"input": [True]}, "invalid_request", "input"),
    (EmbeddingsRequest, {"input": [-1]}, "invalid_request", "input"),
    (EmbeddingsRequest, {"input": {"text": "a"}}, "invalid_request", "input"),
    (EmbeddingsRequest, {"input": "a", "encoding_format": "int8"}, "invalid_request", "encoding_format"),
    (EmbeddingsRequest, {"input": "a", "dimensions": 0}, "invalid_request", "dimensions"),
    (RerankRequest, {"query": "q", "documents": [{"text": "a"}]}, "invalid_request", "documents.0"),
    (RerankRequestV1, {"query": "q", "documents": [{"body": "a"}]}, "invalid_request", "an object needs a `text`"),
    (RerankRequestV1, {"query": "q", "documents": []}, "empty_input", "documents"),
    (EmbedRequest, {"texts": ["a"], "truncate": "START"}, "invalid_request", "only the end"),
    (EmbedRequest, {"texts": ["a"], "embedding_types": ["int8"]}, "invalid_request", "embedding_types"),
    (TeiEmbedRequest, {"inputs": "a", "truncate": True, "truncation_direction": "Left"}, "invalid_request", "only the end"),
]


@pytest.mark.parametrize(("shape", "body", "code", "said"), WRONG, ids=[f"{number}" for number in range(len(WRONG))])
def test_faults_are_named(shape: Any, body: Any, code: str, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(shape, body).task()
    assert caught.value.code == code
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "neither documents nor ids"),
        ({"documents": [{"doc_id": "a", "text": "x"}], "delete": ["a"]}, "'a' is to be added and deleted"),
        ({"documents": [{"doc_id": "", "text": "x"}]}, "documents.0.doc_id"),
        ({"documents": [{"doc_id": "a", "text": "x", "fields": {"tags": ["a"]}}]}, "documents.0: field 'tags' is list"),
        ({"documents": [{"doc_id": "a"}]}, "documents.0.text"),
    ],
)
def test_changes_that_make_no_sense(body: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(ChangeRequest, body).checked()
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (openai_error, {"error": {"message": "no", "type": "rate_limit_error", "param": "input", "code": "overloaded"}}),
        (cohere_error, {"message": "no"}),
        (tei_error, {"error": "no", "error_type": "Overloaded"}),
        (our_error, {"error": {"code": "overloaded", "message": "no", "where": "input"}}),
    ],
)
def test_every_client_gets_an_error_it_can_read(written: Callable[[RequestError], Any], expected: Any) -> None:
    problem = RequestError("overloaded", "no", "input", retry_after=3)
    assert written(problem) == expected
    assert (problem.status, problem.headers()) == (429, {"Retry-After": "3"})
    assert RequestError("not_authorised", "no").headers() == {"WWW-Authenticate": "Bearer"}
