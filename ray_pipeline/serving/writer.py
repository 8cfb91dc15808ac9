"""Documents that are added while the service runs: embedded as the index was, kept on disk, then told."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from ray_pipeline.retrieval.collection.segment import Segment
from ray_pipeline.retrieval.collection.store import Collection
from ray_pipeline.serving.request_error import RequestError
from ray_pipeline.serving.service import Service, text_of
from ray_pipeline.serving.shapes.search import ChangeRequest
from ray_pipeline.serving.tasks import EmbedTask

Append = Callable[[Segment], Awaitable[tuple[int, int]]]


class DocumentWriter:
    """Makes segments of changes. `fingerprint`: of the embedder that the service runs; `append` puts a segment where it lasts, as `appended` does."""

    def __init__(self, service: Service, fingerprint: str, append: Append) -> None:
        self._service, self._fingerprint, self._append = service, fingerprint, append

    async def change(self, request: ChangeRequest) -> dict[str, Any]:
        """Take a batch of changes. What is answered with a number is on disk, and found within the service's `refresh_s`."""
        documents, fields = request.checked()
        texts = [text_of({"text": one.text, "title": one.title}) for one in documents]
        dim = 0 if self._service.embedder is None else self._service.embedder.dim
        vectors = (await self._service.embed(EmbedTask(texts, "document"))).vectors if texts else np.zeros((0, dim), np.float32)
        gone = len(request.delete)
        segment = Segment(
            [*(one.doc_id for one in documents), *request.delete],
            [*(one.text for one in documents), *[None] * gone],
            [*(one.title for one in documents), *[None] * gone],
            [*(json.dumps(one, ensure_ascii=False, sort_keys=True) if one else None for one in fields), *[None] * gone],
            np.concatenate([vectors, np.zeros((gone, dim), np.float32)]),
            self._fingerprint,
        )
        version, number = await self._append(segment)
        return {"change": number, "documents": len(documents), "deleted": gone, "state": f"{version}.{number}"}


def appended(collection: Collection, segment: Segment) -> tuple[int, int]:
    """The version in use and the number of the change, which is on disk; one to appends at a time."""
    version = collection.current()
    if version.embedder != segment.embedder:
        raise RequestError("unavailable", f"version {version.number} of the collection was embedded with another model than this service runs")
    return version.number, collection.append(segment)
