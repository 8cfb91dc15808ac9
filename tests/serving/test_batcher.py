"""The batcher under many callers: right answers, full batches, no timers, no starvation, no work for those who left."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.serving.batcher import TokenBatcher


class Model:
    """Doubles its items, slowly if asked to, and notes what it was given."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.batches = seconds, list[list[int]]()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.gate.wait(5)
        time.sleep(self.seconds)
        self.batches.append(list(items))
        if any(item < 0 for item in items):
            raise ValueError(f"{min(items)} is negative")
        return [2 * item for item in items]


def run(task: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(task, 20))


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.integers(1, 200), min_size=0, max_size=12), min_size=1, max_size=8), st.integers(1, 300), st.integers(1, 16))
def test_every_caller_gets_its_own_answers(requests: list[list[int]], budget: int, max_rows: int) -> None:
    model = Model()

    async def all_at_once() -> list[list[Any]]:
        batcher = TokenBatcher(model, budget, max_rows)
        found = await asyncio.gather(*(batcher.submit(items, items) for items in requests))
        assert batcher.waiting_tokens == 0
        await batcher.close()
        return list(found)

    assert run(all_at_once()) == [[2 * item for item in items] for items in requests]
    for batch in model.batches:
        assert len(batch) <= max_rows
        assert len(batch) == 1 or len(batch) * max(batch) <= budget


def test_an_idle_model_starts_at_once_and_a_busy_one_gathers() -> None:
    model = Model()

    async def scenario() -> float:
        batcher = TokenBatcher(model, 1000, 100)
        started = time.perf_counter()
        await batcher.submit([7], [7])
        alone = time.perf_counter() - started
        model.gate.clear()
        waiting = [asyncio.create_task(batcher.submit([item], [10])) for item in range(20)]
        await settled()
        model.gate.set()
        await asyncio.gather(*waiting)
        await batcher.close()
        return alone

    assert run(scenario()) < 0.1
    # one that was alone, the first that came (the model was idle), the nineteen that came meanwhile
    assert [len(batch) for batch in model.batches] in ([1, 1, 19], [1, 20])


def test_like_lengths_go_together() -> None:
    model = Model()

    async def scenario() -> None:
        batcher = TokenBatcher(model, 512, 64)
        model.gate.clear()
        first = asyncio.create_task(batcher.submit([1], [1]))
        await settled()
        lengths = [100, 10] * 8
        rest = asyncio.create_task(batcher.submit(lengths, lengths))
        await settled()
        model.gate.set()
        await asyncio.gather(first, rest)
        await batcher.close()

    run(scenario())
    for batch in model.batches[1:]:
        assert len(set(batch)) == 1


def test_a_small_request_does_not_wait_for_a_large_one_and_the_large_one_does_not_starve() -> None:
    model = Model(0.002)
    ended: list[str] = []

    async def ask(batcher: TokenBatcher[int, int], name: str, count: int, length: int) -> None:
        await batcher.submit([length] * count, [length] * count)
        ended.append(name)

    async def scenario() -> None:
        batcher = TokenBatcher(model, 256, 64)
        large = asyncio.create_task(ask(batcher, "large", 400, 64))  # 100 batches by itself
        await asyncio.sleep(0.02)
        smalls = []
        for number in range(60):
            smalls.append(asyncio.create_task(ask(batcher, f"small {number}", 1, 100)))
            await asyncio.sleep(0.004)
        await asyncio.gather(large, *smalls)
        await batcher.close()

    run(scenario())
    assert ended[0] == "small 0"
    before = ended.index("large")
    assert before > 10  # small ones went ahead
    assert len(model.batches) < 100 + 60 + 5


def test_of_those_who_left_nothing_is_run() -> None:
    model = Model()

    async def scenario() -> None:
        batcher = TokenBatcher(model, 100, 10)
        model.gate.clear()
        first = asyncio.create_task(batcher.submit([1], [1]))
        await settled()
        left = asyncio.create_task(batcher.submit([666] * 50, [50] * 50))
        stays = asyncio.create_task(batcher.submit([3], [50]))
        await settled()
        left.cancel()
        await settled()
        assert batcher.waiting_tokens == 50
        model.gate.set()
        assert await first == [2]
        assert await stays == [6]
        await batcher.close()

    run(scenario())
    assert not any(666 in batch for batch in model.batches)


def test_an_error_is_of_the_item_that_caused_it() -> None:
    model = Model()

    async def scenario() -> tuple[list[Any], list[Any]]:
        batcher = TokenBatcher(model, 1000, 100)
        model.gate.clear()
        first = asyncio.create_task(batcher.submit([1], [1]))
        await settled()
        bad, good = asyncio.create_task(batcher.submit([5, -1], [5, 5])), asyncio.create_task(batcher.submit([6], [5]))
        await settled()
        model.gate.set()
        await first
        found = await bad, await good
        assert await batcher.submit([4], [4]) == [8]  # it goes on
        await batcher.close()
        return found

    bad, good = run(scenario())
    assert good == [12]
    assert bad[0] == 10
    assert isinstance(bad[1], ValueError)
    assert "-1 is negative" in str(bad[1])


def test_closing_cancels_who_waits() -> None:
    model = Model()

    async def scenario() -> None:
        batcher = TokenBatcher(model, 10, 10)
        model.gate.clear()
        first = asyncio.create_task(batcher.submit([1], [10]))
        second = asyncio.create_task(batcher.submit([2], [10]))
        await settled()
        model.gate.set()
        await batcher.close()
        with pytest.raises(asyncio.CancelledError):
            await second
        first.cancel()

    run(scenario())


def test_planning_costs_little_beside_a_batch() -> None:
    model = Model()
    drawn = np.random.default_rng(0).lognormal(4, 0.6, 2048).astype(int).clip(1, 256).tolist()

    async def scenario() -> float:
        batcher = TokenBatcher(model, 3072, 256)
        started = time.perf_counter()
        await asyncio.gather(*(batcher.submit(drawn[start : start + 16], drawn[start : start + 16]) for start in range(0, 2048, 16)))
        await batcher.close()
        return time.perf_counter() - started

    seconds = run(scenario())
    real, padded = sum(map(sum, model.batches)), sum(len(batch) * max(batch) for batch in model.batches)
    assert real / padded > 0.85
    assert seconds / len(model.batches) < 0.05
