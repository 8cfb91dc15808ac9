"""Backends of a service behind Ray Serve's handles: cancelled with their caller, asked again where a replica died.

Embedding, scoring and searching change nothing, so a question whose replica died is simply put to another. So are documents: a batch that
was taken before the writer died and is taken again leaves what one batch would have left that came a moment later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from ray_pipeline.errors import PipelineError
from ray_pipeline.retrieval.lexical.bm25 import Statistics
from ray_pipeline.serving.items import Ids, QueryWithDocuments
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.service import Found, Lookup
from serve.packing import Told, packed

logger = logging.getLogger(__name__)
_TRIES: Final = 4
Results = Sequence[NDArray[np.float32] | Exception]


async def asked(call: Callable[[], Any]) -> Any:
    """The answer of a replica."""
    for attempt in range(1, _TRIES + 1):
        response = call()
        try:
            return await response
        except asyncio.CancelledError:
            response.cancel()
            raise
        except BackPressureError as problem:
            raise RequestError("overloaded", "every replica has as much as it takes", retry_after=1) from problem
        except RayTaskError as problem:  # what was raised there, in its own words
            if isinstance(problem.cause, RequestError | PipelineError):
                raise problem.cause from None
            raise
        except (RayActorError, DeploymentUnavailableError) as problem:
            if attempt == _TRIES:
                raise RequestError("unavailable", "the part of the service that this needs is not there; it is being started again") from problem
            logger.warning("a replica died (%s); asking another", type(problem).__name__)
            await asyncio.sleep(0.05 * 2**attempt)
    raise AssertionError("unreachable")


def _results(answer: Told) -> Results:
    found, wrong = answer
    return [RuntimeError(wrong[row]) if one is None else one for row, one in enumerate(found)]


class EmbedHandle:
    """The embedder's replicas."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle

    async def embed(self, items: Sequence[Ids]) -> Results:
        texts = packed(items)
        return _results(await asked(lambda: self._handle.embed.remote(texts)))


class RerankHandle:
    """The reranker's replicas."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle

    async def score(self, items: Sequence[QueryWithDocuments]) -> Results:
        heads, counts = packed([item.head for item in items]), [len(item.bodies) for item in items]
        bodies = packed([body for item in items for body in item.bodies])
        return _results(await asked(lambda: self._handle.score.remote(heads, bodies, counts)))


class IndexHandle:
    """The replicas of one share of the collection."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle

    async def search(self, lookup: Lookup) -> Found:
        found: Found = await asked(lambda: self._handle.search.remote(lookup))
        return found

    async def statistics(self, texts: Sequence[str]) -> tuple[str, Statistics]:
        told: tuple[str, Statistics] = await asked(lambda: self._handle.statistics.remote(texts))
        return told
