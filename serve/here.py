"""Parts of the service in the process that asks them, called as handles are: `part.embed.remote(...)`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from serve.deployments import EmbedderReplica, IndexReplica, RerankerReplica
from serve.settings import ServeSettings


class _Method(NamedTuple):
    """Of a part: `remote` starts it and gives what can be awaited and cancelled."""

    called: Callable[..., Coroutine[Any, Any, Any]]

    def remote(self, *arguments: Any) -> Awaitable[Any]:
        return asyncio.ensure_future(self.called(*arguments))


class Here:
    """A part, as a handle shows it."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> _Method:
        return _Method(getattr(self._part, name))


def parts_here(settings: ServeSettings) -> tuple[Here | None, Here | None, list[Here]]:
    """The embedder, the reranker and the collection of these settings, on the devices that the entrance holds."""
    held = settings.model_copy(update={"embedders": settings.entrances, "rerankers": settings.entrances}).model_dump(mode="json")
    embedder = None if settings.model is None else Here(EmbedderReplica(held))
    reranker = None if settings.reranker is None else Here(RerankerReplica(held))
    return embedder, reranker, [] if settings.collection is None else [Here(IndexReplica(held, 0))]
