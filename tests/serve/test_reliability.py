"""Replicas killed and versions published under load: no wrong answer, and none that failed; all of them killed: no document lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import aiohttp
import httpx
import numpy as np

from jobs.command_line import run_job
from jobs.index import IndexJob, index
from tests.serve.conftest import MOST_REQUESTS, READER, WRITER, Served
from tests.serve.load import Load, replicas


def test_a_killed_embedder_costs_nobody_an_answer(served: Served) -> None:
    body = {"inputs": ["adds the tops", "the"]}
    with served.client() as client:
        right = np.array(client.post("/embed", json=body).json())
    before = replicas("embedder")
    assert len(before) == 2
    with Load(served, 6, "/embed", body) as load:
        load.until(lambda: len(load.answers) > 20)
        os.kill(before[0], signal.SIGKILL)
        at = len(load.answers)
        load.until(lambda: len(load.answers) > at + 60)
    assert not load.failures
    assert {status for status, _ in load.answers} == {200}
    assert all(np.allclose(answer, right, atol=1e-5) for _, answer in load.answers)
    load.until(lambda: len(set(replicas("embedder")) - {before[0]}) == 2)  # another was started


def test_versions_change_under_load_and_every_answer_names_one(served: Served) -> None:
    assert run_job("index", IndexJob, index, [*served.index_words, "index.kind=HNSW", "index.min_recall=0.5", "index.part_rows=30"]) == 0
    first, second = served.collection.numbers()[:2]
    changes = served.collection.last_change()
    body = {"query": "adds the tops", "top_k": 3}
    with Load(served, 4, "/search", body) as load:
        for turn in range(20):
            number = (first, second)[turn % 2]
            served.collection.use(number)
            wanted = f"{number}.{changes}"
            at = len(load.answers)
            load.until(lambda at=at, wanted=wanted: any(answer["versions"]["state"] == wanted for _, answer in load.answers[at:]))  # type: ignore[misc]
    assert not load.failures
    assert {status for status, _ in load.answers} == {200}
    assert {answer["versions"]["state"] for _, answer in load.answers} == {f"{first}.{changes}", f"{second}.{changes}"}
    served.collection.use(first)


def test_ten_times_too_much_is_sent_away_and_nothing_breaks(served: Served) -> None:
    body = {"query": "tops", "texts": ["a cat", "a dog"] * 10}

    async def asked(session: aiohttp.ClientSession) -> tuple[int, str | None, Any]:
        async with session.post(f"{served.address}/rerank", json=body) as answer:
            return answer.status, answer.headers.get("Retry-After"), await answer.json()

    async def at_once() -> list[tuple[int, str | None, Any]]:
        headers, connector = {"Authorization": f"Bearer {READER}"}, aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            return list(await asyncio.gather(*(asked(session) for _ in range(10 * MOST_REQUESTS))))

    answers = asyncio.run(asyncio.wait_for(at_once(), 120))
    assert {status for status, _, _ in answers} == {200, 429}
    assert all(wait is not None and int(wait) >= 1 for status, wait, _ in answers if status == 429)
    ranked = [[one["index"] for one in answer] for status, _, answer in answers if status == 200]
    assert all(one == ranked[0] for one in ranked)


def test_a_document_that_was_taken_outlives_every_process(served: Served) -> None:
    with served.client(WRITER) as writer:
        taken = writer.post("/documents", json={"documents": [{"doc_id": "okapi", "text": "an okapi divides"}]})
        assert taken.status_code == 200
    killed = [pid for part in ("writer", "index", "entrance", "embedder", "reranker") for pid in replicas(part)]
    assert len(killed) >= 7  # each at least once, two embedders, two shares of the index
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 120
    found: list[str] = []
    while "okapi" not in found and time.monotonic() < deadline:
        time.sleep(0.2)
        try:
            with served.client() as client:
                answer = client.post("/search", json={"query": "okapi", "mode": "lexical"})
                found = [one["doc_id"] for one in answer.json().get("results", [])] if answer.status_code == 200 else []
        except (httpx.HTTPError, ValueError):
            continue  # nobody there yet
    assert found == ["okapi"]
