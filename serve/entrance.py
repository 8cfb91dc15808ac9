"""The processes that answer HTTP: requests to tokens, tokens to replicas, results to answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ray.serve.handle import DeploymentHandle

from ray_pipeline.models.pair_input import pair_input
from ray_pipeline.models.text_input import text_input
from ray_pipeline.retrieval.collection.segment import Segment
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.revision import code_revision
from ray_pipeline.serving.fan_out import FanOut
from ray_pipeline.serving.http.application import Application
from ray_pipeline.serving.http.document_lines import Writer
from ray_pipeline.serving.http.endpoints import About, endpoints
from ray_pipeline.serving.http.telemetry import Telemetry
from ray_pipeline.serving.keys import Keys
from ray_pipeline.serving.service import EmbedSide, RerankSide, Service
from ray_pipeline.serving.writer import DocumentWriter, appended
from ray_pipeline.storage import Location
from serve.handles import EmbedHandle, IndexHandle, RerankHandle, asked
from serve.log_lines import started
from serve.settings import ServeSettings


def embed_side(settings: ServeSettings, about: Mapping[str, Any], handle: DeploymentHandle) -> EmbedSide:
    assert settings.model is not None
    return EmbedSide(text_input(settings.model), int(about["dim"]), bool(about["normalizes"]), EmbedHandle(handle))


def rerank_side(settings: ServeSettings, about: Mapping[str, Any], handle: DeploymentHandle) -> RerankSide:
    assert settings.reranker is not None
    already = about["score"] == "softmax"
    return RerankSide(pair_input(settings.reranker), bool(about["shared"]), already, int(about["token_budget"]), RerankHandle(handle))


class WriterReplica:
    """Appends to the collection; there is one."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        given = started(settings)
        assert given.collection is not None
        self._collection = Collection(Location.of(given.workspace), given.collection)
        self._turn = asyncio.Lock()

    async def append(self, segment: Segment) -> tuple[int, int]:
        async with self._turn:
            return await asyncio.to_thread(appended, self._collection, segment)


class Entrance:
    """Builds the ASGI application once the other parts have said what they are."""

    async def __init__(  # type: ignore[misc]  # Ray Serve awaits it
        self,
        settings: Mapping[str, Any],
        embedder: DeploymentHandle | None,
        reranker: DeploymentHandle | None,
        shares: Sequence[DeploymentHandle],
        writer: DeploymentHandle | None,
    ) -> None:
        given = started(settings)
        if given.layout == "whole":
            from serve.here import parts_here  # the models' code: an entrance of its own does without

            embedder, reranker, shares = parts_here(given)
        about_embedder: Any = None if embedder is None else await embedder.about.remote()
        about_reranker: Any = None if reranker is None else await reranker.about.remote()
        states = [(await share.about.remote())["state"] for share in shares]
        index = FanOut([IndexHandle(share) for share in shares]) if shares else None
        self._service = Service(
            given.limits,
            None if embedder is None else embed_side(given, about_embedder, embedder),
            None if reranker is None else rerank_side(given, about_reranker, reranker),
            index,
        )
        self._about = About(
            code_revision(),
            about_embedder,
            about_reranker,
            given.collection,
            lambda: (index.state if index is not None else None) or next(iter(states), None),
        )
        self._keys = Keys.of(given.keys, given.host)
        self._writer: Writer | None = None
        if writer is not None:
            self._writer = DocumentWriter(self._service, about_embedder["fingerprint"], lambda segment: asked(lambda: writer.append.remote(segment)))

    def __serve_build_asgi_app__(self) -> Application:
        telemetry = Telemetry(self._service)
        return Application(self._service, self._keys, endpoints(self._service, telemetry, self._about, self._writer), telemetry)
