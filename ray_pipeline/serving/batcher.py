"""One model, many callers: items of all waiting requests go through it together, in batches of a token budget.

* Nothing waits for a timer: an idle model starts with what is there, and what comes meanwhile is the next batch.
* Nothing starves, and nobody is held up by a neighbour's thousand texts: requests share the model by start-time fair queueing (Goyal et
  al. 1996), tokens as cost. An item's tag is the virtual time its request came at plus the tokens before it in the request; the lowest
  tag is always in the next batch, and whatever of like length stands near it comes along (`text.batches` cuts, as it does in jobs).
* Who has left costs nothing: items of a cancelled request are dropped before they are run.
* A batch that fails is run again item by item, so that only the item at fault gets its error.

The model runs in one thread of its own; everything else in this file happens on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import numpy as np

from ray_pipeline.text.batches import plan_batches

Item = TypeVar("Item")
Result = TypeVar("Result")
_CONSIDERED: Final = 4  # budgets' worth of waiting items that a batch is cut from
_MOST_ITEMS: Final = 256


@dataclass
class _Request(Generic[Item, Result]):
    """The items of one caller."""

    answer: asyncio.Future[list[Result | Exception]]
    found: list[Any]
    missing: int
    gone: bool = False


@dataclass(order=True)
class _Waiting(Generic[Item, Result]):
    """An item in the queue, by its tag; `number` makes the order total."""

    tag: int
    number: int
    length: int = field(compare=False)
    item: Item = field(compare=False)
    request: _Request[Item, Result] = field(compare=False)
    place: int = field(compare=False)


class TokenBatcher(Generic[Item, Result]):
    """`run` takes items and gives a result for each, in their order; it is called in a thread, never twice at a time."""

    def __init__(self, run: Callable[[Sequence[Item]], Sequence[Result]], token_budget: int, max_rows: int) -> None:
        self._run, self._budget, self._max_rows = run, token_budget, max_rows
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._queue: list[_Waiting[Item, Result]] = []
        self._came = asyncio.Event()
        self._virtual = 0
        self._numbers = 0
        self._worker: asyncio.Task[None] | None = None

    @property
    def waiting_tokens(self) -> int:
        """Tokens in the queue: what autoscaling and admission look at."""
        return sum(one.length for one in self._queue)

    async def submit(self, items: Sequence[Item], lengths: Sequence[int]) -> list[Result | Exception]:
        """The result of each item, or the error that it alone raised."""
        if not items:
            return []
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._serve())
        request = _Request[Item, Result](asyncio.get_running_loop().create_future(), [None] * len(items), len(items))
        before = 0
        for place, (item, length) in enumerate(zip(items, lengths, strict=True)):
            self._numbers += 1
            self._queue.append(_Waiting(self._virtual + before, self._numbers, max(int(length), 1), item, request, place))
            before += max(int(length), 1)
        self._came.set()
        try:
            return await request.answer
        except asyncio.CancelledError:
            request.gone = True
            self._queue = [one for one in self._queue if one.request is not request]
            raise

    async def close(self) -> None:
        """Stop; who still waits is cancelled."""
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        for one in self._queue:
            one.request.answer.cancel()
        self._queue.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        while True:
            if not self._queue:
                self._came.clear()
                await self._came.wait()
            batch = self._next_batch()
            results = await self._results(batch)
            for one, result in zip(batch, results, strict=True):
                _give(one, result)

    def _next_batch(self) -> list[_Waiting[Item, Result]]:
        """Takes out of the queue the item of the lowest tag and those that go well with it."""
        self._queue.sort()
        considered, tokens = [], 0
        for one in self._queue[:_MOST_ITEMS]:
            considered.append(one)
            tokens += one.length
            if tokens >= _CONSIDERED * self._budget:
                break
        self._virtual = max(self._virtual, considered[0].tag)
        plan = plan_batches(np.array([one.length for one in considered], dtype=np.int64), self._budget, self._max_rows)
        rows = next(rows for rows in plan if 0 in rows)
        chosen = [considered[row] for row in rows]
        taken = {one.number for one in chosen}
        self._queue = [one for one in self._queue if one.number not in taken]
        return chosen

    async def _results(self, batch: Sequence[_Waiting[Item, Result]]) -> Sequence[Result | Exception]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._run, [one.item for one in batch])
        except Exception as problem:  # whatever the model raised belongs to one of the items
            if len(batch) == 1:
                return [problem]
        return [(await self._results([one]))[0] if not one.request.gone else RuntimeError("its caller left") for one in batch]


def _give(one: _Waiting[Any, Any], result: Any) -> None:
    request = one.request
    request.found[one.place] = result
    request.missing -= 1
    if not request.missing and not request.answer.done():
        request.answer.set_result(request.found)
