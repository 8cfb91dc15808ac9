"""The service on this machine's Ray, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ray import serve
from ray.serve import Application

from ray_pipeline.placement.ray_settings import quiet
from serve.settings import ServeSettings

NAME: Final = "service"


@contextmanager
def running(application: Application, settings: ServeSettings) -> Iterator[str]:
    """Starts the application and gives its address; Ray must be connected. Serve's own timeout is a second line behind ours, which
    clients cannot change."""
    with quiet("ray.serve"):
        serve.start(http_options={"host": settings.host, "port": settings.port, "request_timeout_s": 2 * settings.limits.timeout_s})
        try:
            serve.run(application, name=NAME, route_prefix="/")
            yield f"http://{settings.host}:{settings.port}"
        finally:
            serve.shutdown()
