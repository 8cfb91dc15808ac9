"""What stands behind a service in one process, or in one replica of a cluster's: a model with its batcher, a collection with its state."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import PipelineError
from ray_pipeline.retrieval.collection.state import Hit, State
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.retrieval.index.opened import WHOLE, Share
from ray_pipeline.retrieval.lexical.bm25 import Statistics
from ray_pipeline.serving.batch_settings import BatchSettings
from ray_pipeline.serving.batcher import TokenBatcher
from ray_pipeline.serving.engines import EmbedEngine, RerankEngine
from ray_pipeline.serving.items import Ids, QueryWithDocuments
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.service import Found, Lookup

logger = logging.getLogger(__name__)
Vector = NDArray[np.float32]
_EARLIER_STATES: Final = 4


class BatchedEmbedder:
    """An embedder that many requests share."""

    def __init__(self, engine: EmbedEngine, settings: BatchSettings) -> None:
        self.batcher = TokenBatcher[Ids, Vector](engine, settings.token_budget, settings.max_rows)

    async def embed(self, items: Sequence[Ids]) -> Sequence[Vector | Exception]:
        return await self.batcher.submit(items, [len(item) for item in items])


class BatchedReranker:
    """A reranker that many requests share."""

    def __init__(self, engine: RerankEngine, settings: BatchSettings) -> None:
        self._shared = engine.shared
        self.batcher = TokenBatcher[QueryWithDocuments, Vector](engine, settings.token_budget, settings.max_rows)

    async def score(self, items: Sequence[QueryWithDocuments]) -> Sequence[Vector | Exception]:
        return await self.batcher.submit(items, [item.length(shared=self._shared) for item in items])


class SearchedCollection:
    """A share of a collection in its newest state. Searches run in threads; each ends in the state it began in. The states before the
    newest stay for a while: shares must answer from one state, and do not move to a newer one at the same moment."""

    def __init__(self, collection: Collection, threads: int = 2, share: Share = WHOLE) -> None:
        self._collection, self._share = collection, share
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="search")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self.state = State.of(collection, share=share)
        looked_up(self.state, Lookup(1, np.zeros((1, self.state.index.dim), np.float32), ["warm"]))  # the first search is slow: not a caller's
        self._earlier: deque[State] = deque(maxlen=_EARLIER_STATES)

    async def search(self, lookup: Lookup) -> Found:
        state = await self._named(lookup.state)
        return await asyncio.get_running_loop().run_in_executor(self._threads, looked_up, state, lookup)

    async def statistics(self, texts: Sequence[str]) -> tuple[str, Statistics]:
        """The newest state, and what BM25 has to know of it."""
        state = self.state
        return state.name, await asyncio.get_running_loop().run_in_executor(self._threads, state.statistics, texts)

    async def _named(self, name: str | None) -> State:
        """The state of this name; one that others have and this does not yet is waited for."""
        if name is None or name == self.state.name:
            return self.state
        for state in self._earlier:
            if state.name == name:
                return state
        await self.refresh()
        if self.state.name != name:
            raise RequestError("unavailable", f"state {name} of the collection is not here; ask again", retry_after=1)
        return self.state

    async def refresh(self) -> bool:
        """Take over a version that was published, or changes that were made, since; says whether there was anything. What cannot be
        opened is reported, and the state before stays in use."""
        try:
            newer = await asyncio.get_running_loop().run_in_executor(self._loader, self._newer)
        except (PipelineError, OSError) as problem:
            logger.error("collection %s: stays at %s: %s", self._collection.name, self.state.name, problem)
            return False
        if newer is self.state:
            return False
        self._earlier.appendleft(self.state)
        self.state = newer
        return True

    def _newer(self) -> State:
        current = self._collection.current()
        return self.state.caught_up(self._collection) if current == self.state.version else State.of(self._collection, current, self._share)


def looked_up(state: State, lookup: Lookup) -> Found:
    """The rankings that were asked for, and their documents, of one state."""
    dense: Sequence[Sequence[Hit]] = () if lookup.vectors is None else state.dense(lookup.vectors, lookup.k, lookup.filter)
    lexical: Sequence[Sequence[Hit]] = () if lookup.texts is None else state.lexical(lookup.texts, lookup.k, lookup.filter, lookup.known)
    names = {hit.doc_id for ranking in (*dense, *lexical) for hit in ranking}
    return Found(state.name, dense, lexical, {name: state.document(name) or {} for name in names})
