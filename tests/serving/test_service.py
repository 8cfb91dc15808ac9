"""A service over real tiny models and a real collection, in this process: what it answers is what the library computes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ray_pipeline.models.embedder import Embedder
from ray_pipeline.models.embedder_settings import EmbedderSettings
from ray_pipeline.models.reranker import Reranker
from ray_pipeline.models.reranker_settings import RerankerSettings
from ray_pipeline.retrieval.collection.segment import Segment
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.fusion import fused_lists
from ray_pipeline.serving.backends import SearchedCollection
from ray_pipeline.serving.engines import EmbedEngine, RerankEngine
from ray_pipeline.serving.items import QueryWithDocuments
from ray_pipeline.serving.limits import Limits
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.service import Service, text_of
from ray_pipeline.serving.tasks import EmbedTask, RerankTask, SearchTask
from tests.serving.local import service

TEXTS = ["adds the tops", "the", "rounds " * 30, "½ of the number", "negative area"]


def run(task: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(task, 60))


def test_vectors_are_the_models_own(parts: tuple[EmbedEngine, RerankEngine], embedding: EmbedderSettings) -> None:
    async def scenario() -> Any:
        asked = service(parts)
        return await asyncio.gather(*(asked.embed(EmbedTask(TEXTS, "query")) for _ in range(3)), asked.embed(EmbedTask(TEXTS[:1], "document")))

    *found, one = run(scenario())
    embedder = Embedder(embedding)
    oracle = embedder.encode(embedder.tokenize(TEXTS, "query"), 4096, 64)
    for answer in found:
        assert np.allclose(answer.vectors, oracle, atol=1e-5)
    assert np.allclose(one.vectors[0], oracle[0], atol=1e-5)
    assert found[0].tokens == int(embedder.tokenize(TEXTS, "query").offsets[-1])


def test_fewer_dimensions_are_those_of_the_model_cut_short(parts: tuple[EmbedEngine, RerankEngine], embedding: EmbedderSettings) -> None:
    found = run(service(parts).embed(EmbedTask(TEXTS, "query", dimensions=8)))
    cut = Embedder(embedding.model_copy(update={"dim": 8}))
    assert np.allclose(found.vectors, cut.encode(cut.tokenize(TEXTS, "query"), 4096, 64), atol=1e-5)


def test_token_ids_are_the_text_they_stand_for(parts: tuple[EmbedEngine, RerankEngine]) -> None:
    tokens = parts[0].embedder.text_input.encoder
    ids = [tokens._cutter.plain(text) for text in TEXTS]

    async def scenario() -> Any:
        asked = service(parts)
        return await asked.embed(EmbedTask(ids, "query")), await asked.embed(EmbedTask(TEXTS, "query"))

    by_ids, by_text = run(scenario())
    assert np.allclose(by_ids.vectors, by_text.vectors, atol=1e-6)
    with pytest.raises(RequestError, match="text 1 holds the token id 999999"):
        run(service(parts).embed(EmbedTask([[1], [999_999]], "query")))


@pytest.mark.parametrize("kind", ["classifier", "causal"])
def test_scores_are_the_rerankers_own(kind: str, tiny_causal: Path, classifier: RerankerSettings, parts: tuple[EmbedEngine, RerankEngine]) -> None:
    settings = (
        classifier
        if kind == "classifier"
        else RerankerSettings(name=str(tiny_causal), kind="causal", max_length=120, precision="fp32", yes="cat", no="dog")
    )
    engine = RerankEngine(settings)
    assert engine.shared == (kind == "causal")

    async def scenario() -> Any:
        asked = service((parts[0], engine))
        raw = asyncio.gather(*(asked.rerank(RerankTask(query, TEXTS, raw=True)) for query in ("tops", "which number")))
        return await raw, await asked.rerank(RerankTask("tops", TEXTS))

    raw, shares = run(scenario())
    reranker = Reranker(settings)
    for answer, query in zip(raw, ("tops", "which number"), strict=True):
        assert np.allclose(answer.scores, reranker.rank(query, TEXTS), atol=1e-5)
    assert np.allclose(shares.scores, 1 / (1 + np.exp(-raw[0].scores)), atol=1e-6)
    assert shares.order() == raw[0].order()


def test_a_query_is_cut_into_items_a_batch_can_hold() -> None:
    from ray_pipeline.serving.items import items_of
    from ray_pipeline.text.pairs import PairTokens
    from ray_pipeline.text.tokens import end_to_end

    pairs = PairTokens(end_to_end([[1, 2, 3]]), end_to_end([[4] * 5, [5] * 6, [6] * 30, [7]]), np.zeros(4, np.int64))
    shared = items_of(pairs, shared=True, token_budget=15)
    assert [[len(body) for body in item.bodies] for item in shared] == [[5, 6], [30], [1]]
    assert [item.length(shared=True) for item in shared] == [14, 33, 4]
    plain = items_of(pairs, shared=False, token_budget=15)
    assert [item.length(shared=False) for item in plain] == [8, 9, 33, 4]
    assert isinstance(plain[0], QueryWithDocuments)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_a_search_finds_what_the_collection_holds(mode: Any, parts: tuple[EmbedEngine, RerankEngine], collection: Collection) -> None:
    queries = ["adds the tops and the bottoms", "negative number"]

    async def scenario() -> Any:
        asked = service(parts, collection)
        vectors = (await asked.embed(EmbedTask(queries, "query"))).vectors
        assert isinstance(asked.index, SearchedCollection)
        return await asked.search(SearchTask(queries, 5, mode, False, 25)), vectors, asked.index.state

    found, vectors, state = run(scenario())
    dense, lexical = state.dense(vectors, 100), state.lexical(queries, 100)
    if mode == "hybrid":
        wanted = [fused_lists([[hit.doc_id for hit in one] for one in pair])[:5] for pair in zip(dense, lexical, strict=True)]
    else:
        wanted = [[(hit.doc_id, hit.score) for hit in row[:5]] for row in (dense if mode == "dense" else lexical)]
    got = [[(hit.doc_id, hit.retrieval_score) for hit in row] for row in found.hits]
    assert [[name for name, _ in row] for row in got] == [[name for name, _ in row] for row in wanted]
    assert np.allclose([score for row in got for _, score in row], [score for row in wanted for _, score in row], atol=1e-5)
    assert found.state == "1.0"
    assert all(hit.document["doc_id"] == hit.doc_id and hit.document["text"] for row in found.hits for hit in row)
    assert set(found.seconds) == ({"search"} if mode == "lexical" else {"embed", "search"})


def test_reranking_orders_the_best_and_leaves_the_rest(parts: tuple[EmbedEngine, RerankEngine], collection: Collection) -> None:
    async def scenario() -> Any:
        asked = service(parts, collection)
        task = SearchTask(["adds the tops"], 12, "dense", False, 8)
        return await asked.search(task), await asked.search(replace(task, rerank=True))

    plain, reranked = run(scenario())
    first, second = plain.hits[0], reranked.hits[0]
    assert {hit.doc_id for hit in first[:8]} == {hit.doc_id for hit in second[:8]}
    assert [hit.doc_id for hit in first[8:]] == [hit.doc_id for hit in second[8:]]
    scores = [hit.rerank_score for hit in second[:8]]
    assert scores == sorted(scores, reverse=True)
    assert all(hit.rerank_score is None for hit in second[8:])
    oracle = parts[1].reranker.rank("adds the tops", [text_of(hit.document) for hit in second[:8]])
    assert np.allclose(scores, 1 / (1 + np.exp(-oracle)), atol=1e-5)
    assert set(reranked.seconds) == {"embed", "search", "rerank"}


def test_a_state_swaps_in_under_searches_and_a_broken_one_does_not(parts: tuple[EmbedEngine, RerankEngine], collection: Collection) -> None:
    embedder = parts[0].embedder
    vector = embedder.encode(embedder.tokenize(["zebra"], "document"), 512, 8)
    fingerprint = collection.current().embedder

    async def scenario() -> Any:
        asked = service(parts, collection)
        assert isinstance(asked.index, SearchedCollection)
        task = SearchTask(["zebra"], 3, "lexical", False, 3)
        before = await asked.search(task)
        assert not await asked.index.refresh()
        searches = [asyncio.create_task(asked.search(task)) for _ in range(20)]
        number = collection.append(Segment(["zebra"], ["zebra"], [None], [None], vector, fingerprint))
        refreshed = await asked.index.refresh()
        during = await asyncio.gather(*searches)
        after = await asked.search(task)
        path = Path(collection.folder.uri) / f"changes/{number + 1:012d}.arrow"
        path.write_bytes(b"torn")
        broken = await asked.index.refresh()
        still = await asked.search(task)
        path.unlink()
        return before, refreshed, during, after, broken, still

    before, refreshed, during, after, broken, still = run(scenario())
    assert (before.state, before.hits) == ("1.0", [[]])
    assert refreshed
    for one in during:
        assert ([hit.doc_id for hit in one.hits[0]], one.state) in ((["zebra"], "1.1"), ([], "1.0"))
    assert (after.state, after.hits[0][0].doc_id) == ("1.1", "zebra")
    assert not broken
    assert still.state == "1.1"


@pytest.mark.parametrize(
    ("task", "code", "said"),
    [
        (EmbedTask(["a"] * 5, "query"), "invalid_request", "5 items"),
        (EmbedTask(["the number " * 20], "query", cut=False), "too_large", "longer than the 40 tokens"),
        (EmbedTask(["the number " * 20] * 4, "query"), "invalid_request", "160 tokens"),
        (EmbedTask(["a"], "query", dimensions=33), "invalid_request", "the model's vectors have 32"),
        (EmbedTask(["\ud800"], "query"), "invalid_request", "half a surrogate pair"),
    ],
)
def test_what_goes_beyond_is_refused(task: EmbedTask, code: str, said: str, parts: tuple[EmbedEngine, RerankEngine]) -> None:
    with pytest.raises(RequestError) as caught:
        run(service(parts, limits=Limits(max_items=4, max_tokens=150)).embed(task))
    assert caught.value.code == code
    assert said in caught.value.message


def test_a_service_says_what_it_has_not(parts: tuple[EmbedEngine, RerankEngine]) -> None:
    with pytest.raises(RequestError, match="no index") as caught:
        run(service(parts).search(SearchTask(["a"], 1, "dense", False, 1)))
    assert caught.value.status == 404
    with pytest.raises(RequestError, match="no reranker"):
        run(Service(Limits(), None, None, None).rerank(RerankTask("a", ["b"])))


def test_a_model_that_fails_says_for_which_text(parts: tuple[EmbedEngine, RerankEngine]) -> None:
    class Broken:
        async def embed(self, items: Any) -> list[Any]:
            return [np.zeros(32, np.float32), ValueError("not this one")]

    asked = service(parts)
    assert asked.embedder is not None
    asked.embedder = replace(asked.embedder, backend=Broken())
    with pytest.raises(RequestError, match=r"input\.1: not this one") as caught:
        run(asked.embed(EmbedTask(["a", "b"], "query")))
    assert caught.value.status == 424
